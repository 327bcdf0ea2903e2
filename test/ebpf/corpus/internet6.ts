// IPv6: chains of extension headers, fragments, jumbograms, lengths that lie, and every protocol number.
import {
  type Envelope,
  EtherType,
  type Extension,
  type ExtensionKind,
  ethernet,
  icmp,
  ip,
  Protocol,
  padded,
  patched,
  tcp,
  udp,
} from '../../support/packet.ts'
import { esp } from '../../support/transports.ts'
import type { Chapter } from './case.ts'

const ports = { sourcePort: 40_002, destinationPort: 8443 }
const IP = 14
const LENGTH = IP + 4
const NEXT = IP + 6
const PAYLOAD = IP + 40
const DESTINATION_OPTIONS = 60
const FRAGMENT_HEADER = 44
const kinds: readonly ExtensionKind[] = ['hopByHop', 'routing', 'destination', 'authentication']

export function writeIPv6(chapter: Chapter): void {
  writeChains(chapter)
  writeBrokenChains(chapter)
  writeFragments(chapter)
  writeJumbograms(chapter)
  writePayloadLengths(chapter)
  for (let version = 0; version < 16; version++)
    if (version !== 6)
      chapter.v6('malformed_header', `EtherType and version ${version}`, e =>
        patched(udp({ ...e, ...ports, payload: 30 }), IP, version << 4),
      )
  for (let protocol = 0; protocol < 256; protocol++) writeProtocol(chapter, protocol)
}

/** 40 zeros are 5 hop-by-hop headers and then a sixth that is not there. */
function writeProtocol(chapter: Chapter, protocol: number): void {
  const isExtension = [0, 43, 44, 51, 60].includes(protocol)
  const packetClass = isExtension ? 'malformed_short' : protocol === Protocol.tcp ? 'malformed_transport' : 'flow'
  chapter.v6(packetClass, `protocol ${protocol} and 40 zeros`, e => ip(protocol, { ...e, payload: 40 }), {
    inSeries: true,
    valid: false,
  })
}

function chain(kind: ExtensionKind, count: number): Extension[] {
  return Array.from({ length: count }, () => ({ kind }))
}

function writeChains(chapter: Chapter): void {
  for (const kind of kinds)
    for (let count = 1; count <= 9; count++)
      // RFC 8200 has each header once, hop-by-hop options first; nobody may rely on that.
      chapter.v6('flow', `${count} headers ${kind}`, e => udp({ ...e, ...ports, extensions: chain(kind, count) }), {
        valid: count === 1,
        inSeries: count > 2 && count < 8,
      })
  for (const bytes of [16, 64, 256, 2048])
    chapter.v6(
      'flow',
      `an options header of ${bytes} bytes`,
      e => tcp({ ...e, ...ports, extensions: [{ kind: 'destination', bytes }] }),
      { inSeries: bytes > 64 },
    )
  for (const bytes of [12, 20, 28, 1028])
    chapter.v6(
      'flow',
      `an authentication header of ${bytes} bytes`,
      e => tcp({ ...e, ...ports, extensions: [{ kind: 'authentication', bytes }] }),
      { inSeries: bytes > 64 },
    )
  const inOrder: Extension[] = [
    { kind: 'hopByHop', bytes: 16 },
    { kind: 'destination' },
    { kind: 'routing', bytes: 24 },
    { kind: 'authentication', bytes: 24 },
    { kind: 'destination', bytes: 16 },
  ]
  chapter.v6('flow', 'all headers in the order of RFC 8200, TCP', e => tcp({ ...e, ...ports, extensions: inOrder }))
  chapter.v6('flow', 'all headers in the order of RFC 8200, MLD', e => icmp({ ...e, type: 143, extensions: inOrder }))
  chapter.v6('flow', 'all headers, then ESP', e => esp({ ...e, extensions: inOrder, payload: 32 }))
  chapter.v6('flow', 'all headers, then a protocol by number', e => ip(103, { ...e, extensions: inOrder, payload: 8 }))
  for (const payload of [0, 8])
    chapter.v6('flow', `no next header and ${payload} bytes`, e => ip(Protocol.nothing, { ...e, payload }))
  chapter.v6('flow', 'a header and no next one', e =>
    ip(Protocol.nothing, { ...e, extensions: chain('destination', 1) }),
  )
  // Mobility, host identity, shim6: extension headers by registry, read as protocols.
  for (const protocol of [135, 139, 140])
    chapter.v6('flow', `protocol ${protocol}, an extension header`, e =>
      ip(protocol, { ...e, payload: Uint8Array.of(59, 0, 0, 0, 0, 0, 0, 0) }),
    )
}

function writeBrokenChains(chapter: Chapter): void {
  const oneHeader = (e: Envelope) => udp({ ...e, ...ports, extensions: chain('destination', 1), payload: 16 })
  for (const length of [4, 31, 255])
    chapter.v6('malformed_short', `a header that says it is ${(length + 1) * 8} bytes`, e =>
      patched(oneHeader(e), PAYLOAD + 1, length),
    )
  chapter.v6('malformed_short', 'a header of 4 bytes', e => ip(DESTINATION_OPTIONS, { ...e, payload: 4 }))
  chapter.v6('malformed_short', 'a header of 4 bytes, filled up', e =>
    padded(ip(DESTINATION_OPTIONS, { ...e, payload: 4 }), 80),
  )
  chapter.v6('malformed_short', 'a header of no bytes', e => ip(0, e))
  chapter.v6('malformed_short', 'a header and another one that is not there', e =>
    ip(DESTINATION_OPTIONS, { ...e, extensions: chain('destination', 1) }),
  )
  chapter.v6('malformed_transport', 'UDP behind a header that takes its place', e =>
    patched(oneHeader(e), PAYLOAD + 1, 3),
  )
}

function writeFragments(chapter: Chapter): void {
  const extensionSets: Readonly<Record<string, Extension[]>> = {
    '': [],
    ' behind a header': chain('hopByHop', 1),
    ' behind seven headers': chain('destination', 7),
  }
  for (const [where, extensions] of Object.entries(extensionSets)) {
    const valid = extensions.length < 2
    const options = { valid, inSeries: !valid }
    const first = { offset: 0, more: true }
    const atomic = { offset: 0, more: false }
    const udpOf = (fragment: Envelope['fragment']) => (e: Envelope) =>
      udp({ ...e, ...ports, extensions, fragment: fragment!, payload: 64 })
    chapter.v6('flow', `first fragment, UDP${where}`, udpOf(first), options)
    chapter.v6('flow', `atomic fragment, UDP${where}`, udpOf(atomic), options)
    chapter.v6(
      'flow',
      `first fragment, TCP${where}`,
      e => tcp({ ...e, ...ports, extensions, fragment: first }),
      options,
    )
    for (const [name, offset, more] of [
      ['middle', 1448, true],
      ['last', 2896, false],
      ['overlapping', 8, false],
      ['largest offset', 65_528, false],
    ] as const)
      for (const protocol of [Protocol.tcp, Protocol.udp, Protocol.icmp6])
        chapter.v6(
          'fragment',
          `${name} fragment of protocol ${protocol}${where}`,
          e => ip(protocol, { ...e, extensions, fragment: { offset, more }, payload: 64 }),
          options,
        )
  }
  const first = { offset: 0, more: true }
  chapter.v6('malformed_transport', 'tiny first fragment, TCP', e => ip(6, { ...e, fragment: first, payload: 8 }))
  chapter.v6('malformed_short', 'first fragment without its options header', e =>
    ip(DESTINATION_OPTIONS, { ...e, fragment: first }),
  )
  chapter.v6(
    'fragment',
    'later fragment of an options header',
    e => ip(DESTINATION_OPTIONS, { ...e, fragment: { offset: 8, more: false }, payload: 64 }),
    { valid: false },
  )
  chapter.v6(
    'flow',
    'fragment in the ninth place',
    e =>
      ip(Protocol.udp, {
        ...e,
        extensions: chain('destination', 8),
        fragment: { offset: 800, more: false },
        payload: 8,
      }),
    { valid: false },
  )
  chapter.v6('malformed_short', 'a fragment header of 4 bytes', e => ip(FRAGMENT_HEADER, { ...e, payload: 4 }))
}

/** RFC 2675: the length is in a hop-by-hop option. */
function writeJumbograms(chapter: Chapter): void {
  for (const [name, build] of [
    ['TCP', tcp],
    ['UDP', udp],
  ] as const)
    chapter.v6(
      'flow',
      `jumbogram, ${name}`,
      e => {
        const packet = build({ ...e, ...ports, extensions: chain('hopByHop', 1), payload: 300 })
        return patched(patched(packet, LENGTH, 0, 0), PAYLOAD + 2, 0xc2, 4, 0, 0, 1, 52)
      },
      { valid: false },
    )
}

function writePayloadLengths(chapter: Chapter): void {
  const withLength = (length: number) => (e: Envelope) =>
    patched(udp({ ...e, ...ports, payload: 32 }), LENGTH, length >> 8, length & 255)
  for (const length of [0, 1, 7]) chapter.v6('malformed_transport', `UDP, payload length ${length}`, withLength(length))
  for (const length of [8, 9, 39, 40])
    chapter.v6('flow', `UDP, payload length ${length}`, withLength(length), { valid: length === 40 })
  for (const length of [41, 1500, 65_535])
    chapter.v6('malformed_short', `UDP, payload length ${length}`, withLength(length))
  chapter.v6('flow', 'no next header and payload length 0, filled up', e => padded(ip(Protocol.nothing, e), 60))
  chapter.add('malformed_short', 'IPv6 of 39 bytes', ethernet(EtherType.ipv6, [], patched(new Uint8Array(39), 0, 0x60)))
  chapter.v6('flow', 'a hop limit of 0', e => patched(udp({ ...e, ...ports }), NEXT + 1, 0))
}
