// What is wrong with a flow as far as packets show it, in words for people.
import type { FailureCause } from '../aggregate/failure-cause.ts'
import type { FlowRecord, TcpRecord, TcpSideRecord } from './flow-record.ts'

/** Below this share of a sender's packets retransmission and reordering are everyday life. */
const NOTABLE = 0.01

type Judged = Pick<
  FlowRecord,
  'transport' | 'confidence' | 'requestPackets' | 'responsePackets' | 'failed' | 'cause' | 'tcp'
>

const causes: Record<FailureCause, string> = {
  no_ready_endpoints: 'no ready endpoints',
  no_such_port: 'no such port of the Service',
  pod_not_ready: 'pod not ready',
  pod_terminating: 'pod terminating',
  pod_gone: 'pod gone',
}

/** The most telling first; empty when nothing is wrong. */
export function problemsOf(flow: Judged): string[] {
  const failure = failureOf(flow)
  if (failure !== undefined) return flow.cause === undefined ? [failure] : [failure, causes[flow.cause]]
  const { tcp } = flow
  // An attempt that is not decided has no problem yet.
  if (!tcp || tcp.state === 'connecting') return []
  const sides = [
    { side: tcp.request, packets: flow.requestPackets },
    { side: tcp.response, packets: flow.responsePackets },
  ]
  const worst = (count: (side: TcpSideRecord) => number) =>
    Math.max(...sides.map(({ side, packets }) => (packets > 0 ? count(side) / packets : 0)))
  const retransmits = worst(side => side.retransmitPackets)
  const outOfOrder = worst(side => side.outOfOrderPackets)
  return [
    ...(isReset(tcp) ? ['reset'] : []),
    ...(sides.some(({ side }) => side.zeroWindowEvents > 0) ? ['zero window'] : []),
    ...(retransmits >= NOTABLE ? [`retransmits ${percent(retransmits)}`] : []),
    ...(outOfOrder >= NOTABLE ? ['out of order'] : []),
  ]
}

/** It came to nothing. */
function failureOf({ transport, confidence, responsePackets, failed, tcp }: Judged): string | undefined {
  if (tcp) return tcpFailures[tcp.state]
  if (failed === 'unreachable') return 'unreachable'
  const isUnanswered = transport === 'icmp' && confidence === 'handshake' && responsePackets === 0
  return isUnanswered ? 'no reply' : undefined
}

const tcpFailures: Partial<Record<TcpRecord['state'], string>> = {
  refused: 'refused',
  timeout: 'no reply',
  unreachable: 'unreachable',
  reset: 'reset',
}

function isReset({ state }: TcpRecord): boolean {
  return state === 'reset_by_client' || state === 'reset_by_server'
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)}%`
}
