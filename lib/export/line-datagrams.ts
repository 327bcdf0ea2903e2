// Lines in datagrams: each has whole lines, and no more than a network carries in one piece.

/** An Ethernet frame, without the headers of IPv6 and UDP. */
const LARGEST = 1452
const LINE_END = 0x0a

/** A line that is longer has a datagram of its own. */
export function datagramsOf(lines: Uint8Array): Uint8Array[] {
  const datagrams: Uint8Array[] = []
  let begin = 0
  let end = 0
  while (end < lines.length) {
    const next = lines.indexOf(LINE_END, end) + 1 || lines.length
    if (next - begin > LARGEST && end > begin) {
      datagrams.push(lines.subarray(begin, end))
      begin = end
    }
    end = next
  }
  if (end > begin) datagrams.push(lines.subarray(begin, end))
  return datagrams
}
