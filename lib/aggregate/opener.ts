// Who opened a flow: rule 3 of docs/counted-once.md, the same answer from both of its ends.
import { Confidence, Opener } from '../capture/flow-batch.ts'
import type { Identity } from './identity.ts'
import type { ServedPorts } from './served-ports.ts'
import { hasPorts, Protocol, transportOf } from './transport.ts'

export type Side = 'local' | 'remote'

/** What the decision rests on, from the surest to the least sure. */
export type OpenerBasis = 'handshake' | 'ports' | 'service' | 'lower_port' | 'address'

export interface OpenerQuestion {
  readonly opener: number
  readonly confidence: number
  readonly protocol: number
  readonly localPort: number
  readonly remotePort: number
  /** Negative when the local address is the lower of the two, as unsigned bytes. */
  readonly addressOrder: number
  readonly interfaceSlot: number
  readonly local: Identity
  readonly remote: Identity
}

export interface OpenerAnswer {
  readonly client: Side
  readonly basis: OpenerBasis
}

export function decideOpener(question: OpenerQuestion, servedPorts: ServedPorts): OpenerAnswer {
  if (question.confidence === Confidence.handshake && question.opener !== Opener.unknown)
    return { client: question.opener === Opener.local ? 'local' : 'remote', basis: 'handshake' }
  if (!hasPorts(question.protocol)) return byService(question) ?? byAddress(question)
  return byKnownPorts(question, servedPorts) ?? byService(question) ?? byLowerPort(question) ?? byAddress(question)
}

/**
 * Nobody need ask what the remote serves there. Of TCP a handshake has to say so; of a datagram its first sender, which
 * is wrong for one that is met in the middle.
 */
export function isOpenedByRemote(protocol: number, opener: number, confidence: number): boolean {
  return opener === Opener.remote && (protocol !== Protocol.tcp || confidence === Confidence.handshake)
}

/** Two ends that both serve their port say nothing, and must not say it differently at each end. */
function byKnownPorts(question: OpenerQuestion, servedPorts: ServedPorts): OpenerAnswer | undefined {
  const { protocol, local, remote, localPort, remotePort, interfaceSlot } = question
  const localServes = serves(local, protocol, localPort) || servedPorts.atInterface(interfaceSlot, protocol, localPort)
  const remoteServes = serves(remote, protocol, remotePort) || servedPorts.atIdentity(remote, protocol, remotePort)
  if (localServes === remoteServes) return undefined
  return { client: localServes ? 'remote' : 'local', basis: 'ports' }
}

function byService(question: OpenerQuestion): OpenerAnswer | undefined {
  return question.remote.class === 'service' ? { client: 'local', basis: 'service' } : undefined
}

/** Port 0 stands for a port that was left out or not there: it serves nothing. */
function byLowerPort({ localPort, remotePort }: OpenerQuestion): OpenerAnswer | undefined {
  if (localPort === remotePort) return undefined
  const localServes = remotePort === 0 || (localPort !== 0 && localPort < remotePort)
  return { client: localServes ? 'remote' : 'local', basis: 'lower_port' }
}

function byAddress({ addressOrder }: OpenerQuestion): OpenerAnswer {
  return { client: addressOrder <= 0 ? 'local' : 'remote', basis: 'address' }
}

function serves(identity: Identity, protocol: number, port: number): boolean {
  return identity.ports.size > 0 && identity.ports.has(`${transportOf(protocol)}/${port}`)
}
