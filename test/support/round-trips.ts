// docs/tcp.md's rule for round-trip samples, replayed over tshark's packets and tshark's opinion of them: nothing here
// follows sequence numbers by itself.
import type { TsharkRow } from './tshark.ts'

export interface Sample {
  readonly dataFrame: number
  readonly ackFrame: number
  readonly seconds: number
  /** What tshark itself says of the same two packets, where it does. */
  readonly tsharkSeconds?: number
}

interface Pending {
  readonly end: number
  readonly frame: number
  readonly since: number
}

const FIN = 1
const SYN = 2
const RST = 4
const ACK = 16
/** Of 1,500 bytes on a link, with timestamps. */
const SEGMENT_BYTES = 1448

/** Sent twice, or sent in another order than it was numbered: an acknowledgment does not say of which. */
const CANCELS = ['retransmission', 'fast_retransmission', 'spurious_retransmission', 'out_of_order', 'lost_segment']

/** Samples by the data's sender and receiver, as `10.0.0.1:4000 10.0.0.2:80`, in the order of their ends. */
export function replaySamples(rows: readonly TsharkRow[]): Map<string, Sample[]> {
  const samples = new Map<string, Sample[]>()
  const pending = new Map<string, Pending>()
  for (const row of rows) {
    if (row.flags & (SYN | RST)) continue
    takeData(row, pending)
    const data = `${row.destination} ${row.source}`
    const waiting = pending.get(data)
    if (!waiting || !(row.flags & ACK) || ((row.acknowledgment - waiting.end) | 0) < 0) continue
    pending.delete(data)
    const sample = { dataFrame: waiting.frame, ackFrame: row.frame, seconds: row.seconds - waiting.since }
    const told = row.acksFrame === waiting.frame ? { ...sample, tsharkSeconds: row.ackRttSeconds! } : sample
    samples.set(data, [...(samples.get(data) ?? []), told])
  }
  return samples
}

/**
 * tshark also goes by the sequence number of a packet without data: behind a FIN that was lost in front of us it takes
 * the FIN that we see for sent again. These rows are marked by what data tells.
 */
export function markedByData(rows: readonly TsharkRow[]): TsharkRow[] {
  const ends = new Map<string, number>()
  return rows.map(row => {
    const isSyn = (row.flags & SYN) !== 0
    const length = row.payloadBytes + (row.flags & FIN) + (isSyn ? 1 : 0)
    if (length === 0) return row
    const sender = `${row.source} ${row.destination}`
    const end = isSyn ? undefined : ends.get(sender)
    const next = (row.sequence + length) >>> 0
    if (end === undefined || ((next - end) | 0) > 0) ends.set(sender, next)
    const step = end === undefined ? -1 : (row.sequence - end) | 0
    if (step < 0) return row
    const marks = step > 0 ? [...row.marks, 'lost_segment'] : [...row.marks].filter(mark => !CANCELS.includes(mark))
    return { ...row, marks: new Set(marks) }
  })
}

/** New data begins a sample where none is pending; what was sent twice or out of turn ends it without a result. */
function takeData({ marks, flags, source, destination, ...row }: TsharkRow, pending: Map<string, Pending>): void {
  const length = row.payloadBytes + (flags & FIN)
  if (length === 0 || marks.has('keep_alive') || marks.has('zero_window_probe')) return
  const data = `${source} ${destination}`
  if (CANCELS.some(mark => marks.has(mark))) pending.delete(data)
  else if (!pending.has(data))
    pending.set(data, { end: (row.sequence + length) >>> 0, frame: row.frame, since: row.seconds })
}

/** Of flow.h: bounds 2^-15, 2^-14 … 2^-1 s, each in its bucket, and the rest. */
export function bucketOf(seconds: number): number {
  const bound = Math.ceil(Math.log2(seconds) + 15)
  return Math.min(15, Math.max(0, bound))
}

/**
 * Pairs the smallest with the smallest, the next with the next, and so on: how many pairs are in one bucket, in
 * neighbouring ones, and farther apart. No other pairing has fewer of the last.
 */
export function compareBuckets(ours: readonly number[], theirs: readonly number[]): [number, number, number] {
  const mine = ours.flatMap((count, bucket) => new Array<number>(count).fill(bucket))
  const sorted = theirs.toSorted((a, b) => a - b)
  const distances: [number, number, number] = [0, 0, 0]
  for (const [i, bucket] of mine.entries()) distances[Math.min(2, Math.abs(bucket - sorted[i]!)) as 0 | 1 | 2]++
  return distances
}

/** Packets of the wire that tshark takes for sent again or for late. */
export function repeatsOf(sender: string, rows: readonly TsharkRow[]): number {
  const repeats = rows.filter(
    ({ source, marks }) => source === sender && (marks.has('retransmission') || marks.has('out_of_order')),
  )
  return repeats.reduce((sum, { payloadBytes }) => sum + Math.max(1, Math.ceil(payloadBytes / SEGMENT_BYTES)), 0)
}

/** tshark's duplicate acknowledgments while anything was on the way, which RFC 5681 asks for and tshark does not. */
export function duplicateAcksOf(sender: string, rows: readonly TsharkRow[]): number {
  let end: number | undefined
  let found = 0
  for (const { source, sequence, payloadBytes, flags, acknowledgment, marks } of rows) {
    const next = sequence + payloadBytes + (flags & FIN ? 1 : 0)
    if (source !== sender) end = end === undefined || ((next - end) | 0) > 0 ? next : end
    else if (marks.has('duplicate_ack') && end !== undefined && ((end - acknowledgment) | 0) > 0) found++
  }
  return found
}
