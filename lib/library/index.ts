// What the package `podweir` offers to other programs: docs/embedding.md. Everything else may change in any release.
export type {
  CaptureFaults,
  DirectionColumns,
  FlowBatch,
  FlowColumns,
  InterfaceColumns,
  RttColumns,
  SelfAudit,
  StartedColumns,
  TcpColumns,
} from '../capture/flow-batch.ts'
export {
  Closed,
  Confidence,
  ConnectionState,
  Failed,
  FlowFlag,
  InterfaceCondition,
  Opener,
  packetClasses,
  Retired,
} from '../capture/flow-batch.ts'
export type { Attachment, CounterKind, Hook, Link, Namespace, Place } from '../capture/flow-source.ts'
export type { RetireTimes } from '../capture/native-probe.ts'
export { Failure } from '../host/failure.ts'
export type { Endpoint, FlowChange, Traffic } from './flow-change.ts'
export { FlowReader } from './flow-change.ts'
export type { ProbeSettings, ProbeTarget, ReadingOptions } from './open-probe.ts'
export { openProbe, Probe } from './open-probe.ts'
