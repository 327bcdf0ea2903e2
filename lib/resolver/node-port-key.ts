// A node port as a number, by which flows ask for it, and as the key, by which a resolver is asked.
import { Protocol, transportOf } from '../aggregate/transport.ts'
import { pointKey } from '../enrich/cluster-services.ts'
import { type PeerKey, PORT_PREFIX } from './messages.ts'

const protocols: Readonly<Record<string, number>> = { tcp: Protocol.tcp, udp: Protocol.udp, sctp: Protocol.sctp }
const PORTS = 65_536

export function isNodePortKey(key: PeerKey): boolean {
  return key.startsWith(PORT_PREFIX)
}

/** `tcp/30080` */
export function nodePortText(point: number): string {
  return `${transportOf(Math.floor(point / PORTS))}/${point % PORTS}`
}

export function nodePortKey(point: number): PeerKey {
  return PORT_PREFIX + nodePortText(point)
}

/** Of a text that is one. */
export function nodePortPoint(text: string): number {
  const [protocol = '', port = ''] = text.split('/')
  return pointKey(protocols[protocol] ?? 0, Number(port))
}

export function pointOfKey(key: PeerKey): number {
  return nodePortPoint(key.slice(PORT_PREFIX.length))
}
