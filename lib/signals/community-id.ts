// Community ID, version 1 (github.com/corelight/community-id-spec): what other tools call the same flow by.
import { hash } from 'node:crypto'
import { Protocol } from '../aggregate/transport.ts'
import { parseAddress } from '../capture/address.ts'

export interface Conversation {
  /** IPPROTO_*. */
  readonly protocol: number
  readonly sourceAddress: string
  readonly destinationAddress: string
  /** Of ICMP: what `icmpPorts` says. */
  readonly sourcePort: number
  readonly destinationPort: number
}

/** The type of an ICMP message and that of its answer, both ways. */
const answers: Readonly<Record<number, ReadonlyMap<number, number>>> = {
  [Protocol.icmp]: bothWays([8, 0], [13, 14], [15, 16], [17, 18], [10, 9]),
  [Protocol.icmp6]: bothWays([128, 129], [133, 134], [135, 136], [130, 131], [139, 140], [144, 145]),
}
const portProtocols: readonly number[] = [Protocol.tcp, Protocol.udp, Protocol.sctp]

/** The same for both directions, but of ICMP messages that nobody answers. */
export function communityId(flow: Conversation): string {
  const { protocol, sourcePort, destinationPort } = flow
  const source = parseAddress(flow.sourceAddress)!
  const destination = parseAddress(flow.destinationAddress)!
  const isInOrder = isOneWay(flow) || compare(source, sourcePort, destination, destinationPort) < 0
  const ports = isInOrder ? [sourcePort, destinationPort] : [destinationPort, sourcePort]
  const hasPorts = portProtocols.includes(protocol) || protocol in answers
  const bytes = Buffer.concat([
    Buffer.from([0, 0]), // the seed
    ...(isInOrder ? [source, destination] : [destination, source]),
    Buffer.from([protocol, 0]),
    ...(hasPorts ? ports.map(port => Buffer.from([port >> 8, port & 255])) : []),
  ])
  return `1:${hash('sha1', bytes, 'base64')}`
}

/** What stands for the two ports: the type and its answer's, or the type and the code. */
export function icmpPorts(protocol: number, type: number, code: number): [number, number] {
  return [type, answers[protocol]?.get(type) ?? code]
}

/** The type of an echo request. */
export function echoType(protocol: number): number {
  return protocol === Protocol.icmp6 ? 128 : 8
}

function isOneWay({ protocol, sourcePort }: Conversation): boolean {
  return protocol in answers && !answers[protocol]!.has(sourcePort)
}

function compare(source: Uint8Array, sourcePort: number, destination: Uint8Array, destinationPort: number): number {
  return Buffer.compare(source, destination) || sourcePort - destinationPort || -1
}

function bothWays(...pairs: readonly [number, number][]): ReadonlyMap<number, number> {
  return new Map(
    pairs.flatMap(([type, answer]): [number, number][] => [
      [type, answer],
      [answer, type],
    ]),
  )
}
