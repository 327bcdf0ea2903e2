// What is told of one flow when it comes to something: an attempt failed, a connection or request ended, a slot was left.
import type { FlowView } from './flow-view.ts'

/**
 * `failed`: an attempt to connect came to nothing; an answer may come after all. `closed`: a connection or request ended.
 * `left`: the flow has left the kernel's table, and its figures are the last ones. Each at most once a flow, and what
 * ended before it was looked at may be all three at once.
 */
export type Occasion = 'failed' | 'closed' | 'left'

export interface ConnectionRecord {
  readonly occasion: Occasion
  /** With everything that was drained of it so far. */
  readonly flow: FlowView
  /** Index in `EdgeTable.edges`, for as long as nothing else is drained; negative: no edge here has it. */
  readonly edge: number
  /** Wall clock, ms since 1970: the first SYN, else the first packet. Of one that came back the beginning is older. */
  readonly beganMs: number
  /** When the end or failure came about; of a flow that only fell silent the drain in which it last moved. */
  readonly endedMs: number
  /** `Closed`, of a connection or request. */
  readonly closed: number
  /** `Retired`, of `left` alone. */
  readonly retired: number
  /** Of TCP alone. */
  readonly local: ConnectionSide
  readonly remote: ConnectionSide
  /** In the order in which they were drained. */
  readonly retransmissions: readonly Retransmission[]
}

export interface ConnectionSide {
  /** The initial sequence number; absent: its SYN or SYN-ACK was not seen. */
  readonly sequence?: number
  /** Wall clock, ms since 1970; absent: not seen. */
  readonly firstDataAtMs?: number
}

export interface Retransmission {
  /** The drain that found them. */
  readonly drainedAtMs: number
  readonly senderIsLocal: boolean
  readonly packets: number
}

/** What is known of a flow before a record of it is made, which costs more than the question. */
export interface Glimpse {
  readonly occasion: Occasion
  /** False when the other end's observer counts it, or nobody. */
  readonly exported: boolean
  /** False: left out by configuration. */
  readonly included: boolean
  /** `Failed`, the newest. */
  readonly failed: number
  /** It failed, or ended, before this. */
  readonly toldBefore: boolean
  /** 0: not known. */
  readonly handshakeSeconds: number
  /** Directions in which there was a packet: 0 to 2. */
  readonly directions: number
}

export interface ConnectionListener {
  /** Whether a record is to be made. The glimpse is borrowed. */
  wants(glimpse: Glimpse): boolean
  tell(record: ConnectionRecord): void
}
