// What is counted of an edge, and which of it is a series from the edge's first moment on.

/** `full` has what `basic` has, and more. */
export type Detail = 'basic' | 'full'

/** Offsets of an edge's counts in `EdgeTable.values`. A metric's counts follow each other; packets follow the bytes of their direction. */
export const EdgeCount = {
  requestBytes: 0,
  requestPackets: 1,
  responseBytes: 2,
  responsePackets: 3,
  opened: 4,
  failedRefused: 5,
  failedTimeout: 6,
  failedUnreachable: 7,
  failedReset: 8,
  requestRetransmits: 9,
  responseRetransmits: 10,
  requestOutOfOrder: 11,
  responseOutOfOrder: 12,
  requestResets: 13,
  responseResets: 14,
  requestZeroWindows: 15,
  responseZeroWindows: 16,
  closedFin: 17,
  closedByClient: 18,
  closedByServer: 19,
  closedIdle: 20,
} as const
export const COUNTS_PER_EDGE = 21

/** From here on counts are sent with detail `full` alone. */
export const FIRST_FULL_COUNT: number = EdgeCount.requestOutOfOrder

/** On the overflow edge a metric is one series: all of its counts are in its first one. */
export const overflowCounts: readonly number[] = [
  ...[EdgeCount.requestBytes, EdgeCount.requestPackets, EdgeCount.requestBytes, EdgeCount.requestPackets],
  EdgeCount.opened,
  ...repeated(EdgeCount.failedRefused, 4),
  ...repeated(EdgeCount.requestRetransmits, 2),
  ...repeated(EdgeCount.requestOutOfOrder, 2),
  ...repeated(EdgeCount.requestResets, 2),
  ...repeated(EdgeCount.requestZeroWindows, 2),
  ...repeated(EdgeCount.closedFin, 4),
]

/** Counts that are sent as 0 with their edge, so that the first event is seen as one. The others begin with their first event. */
export function beginsWithEdge(transport: string, count: number): boolean {
  if (count < EdgeCount.opened) return true
  if (count === EdgeCount.opened) return transport === 'tcp' || transport === 'udp'
  return transport === 'tcp' && count < FIRST_FULL_COUNT
}

/** Series that an edge may come to have, `active` included. What can't be for a transport is not reserved: TCP is never closed by being idle. */
export function edgeSeries(transport: string, detail: Detail): number {
  const full = detail === 'full'
  switch (transport) {
    case 'tcp':
      return full ? 21 : 11
    case 'udp':
      return full ? 8 : 6
    default:
      return full ? 7 : 5
  }
}

function repeated(count: number, times: number): number[] {
  return new Array(times).fill(count)
}
