// Where fuzzing of netlink begins: the answers that a kernel gives to the addon's questions.

const Question = {
  ...{ listLinks: 0, readLink: 1, qdiscDrops: 2, filterQdisc: 3, countFilters: 4, namespaceId: 5 },
  ...{ conntrack: 6, sockets: 7 },
}

/** linux/netlink.h, linux/rtnetlink.h: message types. */
const Type = {
  error: 2,
  done: 3,
  link: 16,
  socket: 20,
  qdisc: 36,
  filter: 44,
  namespaceId: 88,
  track: 0x100,
  tracks: 0x105,
}

/** linux/if_link.h: attributes of a link, and of its kind. */
const Link = { address: 1, name: 3, peer: 5, qdisc: 6, info: 18, statistics: 23, peerNamespace: 37 }
const INFO_KIND = 1

/** linux/rtnetlink.h, linux/gen_stats.h. */
const Qdisc = { kind: 1, statistics: 7 }
const STATISTICS_QUEUE = 3
const NAMESPACE_ID = 1

const ETHERNET = 1
const UP = 1
const LOOPBACK = 8
const INDEX = 2
const ROOT = 0xffffffff
const INGRESS = 0xfffffff1

export function netlinkSeeds(): Map<string, Uint8Array> {
  const done = message(Type.done, number(0))
  const refused = message(Type.error, number(-13), Buffer.alloc(16))
  const veth = link(INDEX, UP, 'eth0', 'veth')
  const loopback = link(1, UP | LOOPBACK, 'lo', '')
  return new Map([
    ['links', answers(Question.listLinks, [loopback, veth], [done])],
    ['links, refused', answers(Question.listLinks, [refused])],
    ['links, of another request', answers(Question.listLinks, [again(veth, 7), veth], [done])],
    ['a link', answers(Question.readLink, [veth])],
    ['no link', answers(Question.readLink, [refused])],
    ['a root qdisc', answers(Question.qdiscDrops, [qdisc(ROOT, 'fq_codel')], [done])],
    ['a clsact', answers(Question.filterQdisc, [qdisc(ROOT, 'noqueue'), qdisc(INGRESS, 'clsact')], [done])],
    ['filters', answers(Question.countFilters, [message(Type.filter, tcMessage(INGRESS)), done], [again(done, 2)])],
    ['a namespace', answers(Question.namespaceId, [namespaceId(4)])],
    ['no tracking', answers(Question.conntrack, [refused])],
    [
      'tracks',
      answers(
        Question.conntrack,
        [message(Type.tracks, Buffer.alloc(4), attribute(1, number(0x03000000)))],
        [track(4, 1, 9), track(6, 2, 2)],
        [again(message(Type.error, number(-2), Buffer.alloc(16)), 4)],
      ),
    ],
    ['sockets', answers(Question.sockets, [socket(2), socket(10)], [done], [again(socket(10), 2), again(done, 2)])],
    [
      'a namespace that is numbered',
      answers(Question.namespaceId, [namespaceId(-1)], [again(refused, 2)], [again(namespaceId(0), 3)]),
    ],
  ])
}

/** Each list of messages is what one read gives. */
function answers(question: number, ...datagrams: Buffer[][]): Uint8Array {
  const parts = datagrams.map(messages => {
    const bytes = Buffer.concat(messages)
    return Buffer.concat([Uint8Array.of(bytes.length & 0xff, bytes.length >> 8), bytes])
  })
  return Buffer.concat([Uint8Array.of(question), ...parts])
}

function link(index: number, flags: number, name: string, kind: string): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt16LE(ETHERNET, 2)
  header.writeInt32LE(index, 4)
  header.writeUInt32LE(flags, 8)
  const attributes = [
    attribute(Link.name, text(name)),
    attribute(Link.address, Buffer.from('02770000000a', 'hex')),
    attribute(Link.qdisc, text('noqueue')),
    attribute(Link.statistics, Buffer.alloc(200, 1)),
    attribute(Link.peer, number(9)),
    attribute(Link.peerNamespace, number(0)),
    attribute(Link.info, attribute(INFO_KIND, text(kind))),
  ]
  return message(Type.link, header, ...attributes)
}

function qdisc(parent: number, kind: string): Buffer {
  const queue = attribute(STATISTICS_QUEUE, Buffer.alloc(20, 3))
  const attributes = [attribute(Qdisc.kind, text(kind)), attribute(Qdisc.statistics, queue)]
  return message(Type.qdisc, tcMessage(parent), ...attributes)
}

function tcMessage(parent: number): Buffer {
  const header = Buffer.alloc(20)
  header.writeInt32LE(INDEX, 4)
  header.writeUInt32LE(parent, 12)
  return header
}

function namespaceId(id: number): Buffer {
  return message(Type.namespaceId, Buffer.alloc(4), attribute(NAMESPACE_ID, number(id)))
}

/** The `number`-th flow that is asked for, and where it goes. */
function track(family: 4 | 6, number: number, backend: number): Buffer {
  const bytes = family === 4 ? 4 : 16
  const tuple = (type: number, from: number, to: number, fromPort: number, toPort: number) => {
    const [source, destination] = family === 4 ? [1, 2] : [3, 4]
    const address = (first: number) => Buffer.concat([Uint8Array.of(first), Buffer.alloc(bytes - 1)])
    const addresses = [attribute(source!, address(from)), attribute(destination!, address(to))]
    const port = (value: number) => Uint8Array.of(value, 0)
    const ports = [attribute(1, Uint8Array.of(6)), attribute(2, port(fromPort)), attribute(3, port(toPort))]
    const parts = [attribute(1, Buffer.concat(addresses)), attribute(2, Buffer.concat(ports))]
    return attribute(type, Buffer.concat(parts))
  }
  const header = Uint8Array.of(family === 4 ? 2 : 10, 0, 0, 0)
  const both = [tuple(1, 10, number, number, number), tuple(2, backend, 10, backend, number)]
  return again(message(Type.track, header, ...both), number + 1)
}

function socket(family: number): Buffer {
  const header = Buffer.alloc(72)
  header.writeUInt8(family)
  header.writeUInt16BE(9100, 4)
  const cgroup = Buffer.alloc(8, 1)
  return message(Type.socket, header, attribute(11, Uint8Array.of(1)), attribute(21, cgroup))
}

function message(type: number, ...parts: Uint8Array[]): Buffer {
  const payload = Buffer.concat(parts)
  const header = Buffer.alloc(16)
  header.writeUInt32LE(header.length + payload.length)
  header.writeUInt16LE(type, 4)
  header.writeUInt32LE(1, 8)
  return Buffer.concat([header, payload])
}

/** The same message in answer to another request. */
function again(original: Buffer, sequence: number): Buffer {
  const copy = Buffer.from(original)
  copy.writeUInt32LE(sequence, 8)
  return copy
}

function attribute(type: number, value: Uint8Array): Buffer {
  const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4)
  padded.writeUInt16LE(4 + value.length)
  padded.writeUInt16LE(type, 2)
  padded.set(value, 4)
  return padded
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}
