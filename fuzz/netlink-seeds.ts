// Where fuzzing of netlink begins: the answers that a kernel gives to the addon's questions.

const Question = { listLinks: 0, readLink: 1, qdiscDrops: 2, filterQdisc: 3, countFilters: 4, namespaceId: 5 }

/** linux/netlink.h, linux/rtnetlink.h: message types. */
const Type = { error: 2, done: 3, link: 16, qdisc: 36, filter: 44, namespaceId: 88 }

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
