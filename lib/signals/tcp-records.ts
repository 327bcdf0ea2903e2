// A TCP connection of the table as its part of a flow's record.
import type { TcpSideView, TcpView } from '../aggregate/flow-view.ts'
import { ConnectionState } from '../capture/flow-batch.ts'
import type { TcpRecord, TcpSideRecord } from './flow-record.ts'

/** By `ConnectionState`, which knows local and remote. */
const states = [
  undefined,
  'connecting',
  'established',
  'midstream',
  'closing',
  'closed',
  undefined,
  undefined,
  'refused',
  'timeout',
  'unreachable',
  'reset',
] as const

export function tcpRecord(tcp: TcpView, localIsClient: boolean): TcpRecord {
  const { handshakeSeconds, acceptedSeconds, fromPod, toPod } = tcp
  const rttSeconds = meanOf(fromPod) ?? (localIsClient ? handshakeSeconds : acceptedSeconds)
  return {
    state: stateOf(tcp.state, localIsClient),
    ...(handshakeSeconds !== undefined && { handshakeSeconds }),
    ...(acceptedSeconds !== undefined && { acceptedSeconds }),
    ...(rttSeconds !== undefined && { rttSeconds }),
    request: sideRecord(localIsClient ? fromPod : toPod),
    response: sideRecord(localIsClient ? toPod : fromPod),
  }
}

function stateOf(state: number, localIsClient: boolean): TcpRecord['state'] {
  const byLocal = state === ConnectionState.resetByLocal
  return states[state] ?? (byLocal === localIsClient ? 'reset_by_client' : 'reset_by_server')
}

function sideRecord(side: TcpSideView): TcpSideRecord {
  const rttMeanSeconds = meanOf(side)
  return {
    retransmitPackets: side.retransmits,
    outOfOrderPackets: side.outOfOrder,
    duplicateAckPackets: side.duplicateAcks,
    zeroWindowEvents: side.zeroWindows,
    resetPackets: side.resets,
    rttSamples: side.rttSamples,
    ...(rttMeanSeconds !== undefined && { rttMeanSeconds }),
  }
}

/** To the nanosecond, as it was measured. */
function meanOf({ rttSumSeconds, rttSamples }: TcpSideView): number | undefined {
  return rttSamples === 0 ? undefined : Math.round((rttSumSeconds / rttSamples) * 1e9) / 1e9
}
