// IPv4: options, header lengths, lengths that lie, versions, fragments, and every protocol number.
import { type Envelope, icmp, ip, Protocol, padded, patched, tcp, udp } from '../../support/packet.ts'
import { authenticated } from '../../support/transports.ts'
import type { Chapter } from './case.ts'

const ports = { sourcePort: 40_001, destinationPort: 443 }
const IP = 14
const LENGTH = IP + 2
const FRAGMENT = IP + 6
const TTL = IP + 8
const OPTIONS = IP + 20
const NO_OPERATION = 1

export function writeIPv4(chapter: Chapter): void {
  writeOptions(chapter)
  writeHeaderLengths(chapter)
  writeTotalLengths(chapter)
  writeFragments(chapter)
  for (let version = 0; version < 16; version++)
    if (version !== 4)
      chapter.v4('malformed_header', `EtherType and version ${version}`, e =>
        patched(udp({ ...e, ...ports, payload: 30 }), IP, (version << 4) | 5),
      )
  chapter.v4('flow', 'TTL 0', envelope => patched(udp({ ...envelope, ...ports }), TTL, 0))
  for (let protocol = 0; protocol < 256; protocol++)
    chapter.v4(
      protocol === Protocol.tcp ? 'malformed_transport' : 'flow',
      `protocol ${protocol} and 40 zeros`,
      envelope => ip(protocol, { ...envelope, payload: 40 }),
      { inSeries: true, valid: false },
    )
}

function writeOptions(chapter: Chapter): void {
  for (let optionBytes = 0; optionBytes <= 40; optionBytes += 4) {
    chapter.v4('flow', `TCP behind ${optionBytes} bytes of options`, e => tcp({ ...e, ...ports, optionBytes }))
    chapter.v4('flow', `UDP behind ${optionBytes} bytes of NOPs`, envelope => {
      const packet = udp({ ...envelope, ...ports, optionBytes, payload: 4 })
      return packet.fill(NO_OPERATION, OPTIONS, OPTIONS + optionBytes)
    })
  }
  const kinds: Readonly<Record<string, readonly number[]>> = {
    'a router alert': [148, 4, 0, 0],
    'a record route': [7, 7, 4, 0, 0, 0, 0, 0],
    'an option of length 0': [7, 0, 4, 0],
    'an option longer than the header': [68, 255, 5, 0],
  }
  for (const [name, option] of Object.entries(kinds))
    chapter.v4(
      'flow',
      `UDP behind ${name}`,
      e => patched(udp({ ...e, ...ports, optionBytes: option.length }), OPTIONS, ...option),
      { valid: option[1] !== 0 && option[1] !== 255 },
    )
}

/** The frame has 120 bytes behind the first 20, none of which is 0. */
function writeHeaderLengths(chapter: Chapter): void {
  for (let words = 0; words < 16; words++)
    for (const [name, protocol] of [
      ['UDP', Protocol.udp],
      ['TCP', Protocol.tcp],
    ] as const)
      chapter.v4(
        words < 5 ? 'malformed_header' : 'flow',
        `${name}, header length ${words * 4}`,
        e => patched(ip(protocol, { ...e, payload: new Uint8Array(120).fill(0x55) }), IP, 0x40 | words),
        { valid: false },
      )
  chapter.v4('malformed_header', 'header length 60 in a packet of 40', e =>
    patched(ip(Protocol.gre, { ...e, payload: 20 }), IP, 0x4f),
  )
  chapter.v4('malformed_header', 'header length 60 in a packet of 40, filled up', e =>
    padded(patched(ip(Protocol.gre, { ...e, payload: 20 }), IP, 0x4f), 90),
  )
  chapter.v4('malformed_transport', 'header length 60 that leaves TCP 19 bytes', e =>
    patched(ip(Protocol.tcp, { ...e, payload: new Uint8Array(59).fill(0x55) }), IP, 0x4f),
  )
}

function writeTotalLengths(chapter: Chapter): void {
  const packet = (envelope: Envelope) => udp({ ...envelope, ...ports, payload: 32 })
  const withLength = (length: number) => (envelope: Envelope) =>
    patched(packet(envelope), LENGTH, length >> 8, length & 255)
  for (const length of [0, 1, 19]) chapter.v4('malformed_header', `total length ${length}`, withLength(length))
  for (const length of [20, 21, 27])
    chapter.v4('malformed_transport', `UDP, total length ${length}`, withLength(length))
  for (const length of [28, 29, 59, 60])
    chapter.v4('flow', `UDP, total length ${length}`, withLength(length), { valid: length === 60 })
  for (const length of [61, 1500, 32_768, 65_535])
    chapter.v4('malformed_short', `UDP, total length ${length}`, withLength(length))
  chapter.v4('flow', 'without payload', envelope => ip(Protocol.gre, envelope), { valid: false })
  chapter.v4('flow', 'an authentication header', e => authenticated({ ...e, ...ports, payload: 5 }))
}

function writeFragments(chapter: Chapter): void {
  const later = [
    ['middle', 1480, true],
    ['last', 2960, false],
    ['overlapping', 8, false],
    ['largest offset', 65_528, false],
  ] as const
  for (const protocol of [Protocol.tcp, Protocol.udp, Protocol.icmp, Protocol.gre, Protocol.esp])
    for (const [name, offset, more] of later)
      chapter.v4('fragment', `${name} fragment of protocol ${protocol}`, e =>
        ip(protocol, { ...e, fragment: { offset, more }, payload: 64 }),
      )
  const first = { offset: 0, more: true }
  chapter.v4('flow', 'first fragment, UDP', e => udp({ ...e, ...ports, fragment: first, payload: 64 }))
  chapter.v4('flow', 'first fragment, TCP', e => tcp({ ...e, ...ports, fragment: first, payload: 64 }))
  chapter.v4('flow', 'first fragment, ICMP', e => icmp({ ...e, type: 8, identifier: 9, fragment: first, payload: 64 }))
  chapter.v4('flow', 'tiny first fragment, UDP', e => udp({ ...e, ...ports, fragment: first }))
  chapter.v4('malformed_transport', 'tiny first fragment, TCP', e =>
    ip(Protocol.tcp, { ...e, fragment: first, payload: 8 }),
  )
  chapter.v4('fragment', 'later fragment of no bytes', e =>
    ip(Protocol.udp, { ...e, fragment: { offset: 800, more: false } }),
  )
  for (const [name, bits] of [
    ['must not be fragmented', 0x40],
    ['the reserved bit', 0x80],
  ] as const)
    chapter.v4('flow', `UDP with ${name}`, e => patched(udp({ ...e, ...ports }), FRAGMENT, bits))
}
