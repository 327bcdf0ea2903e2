// Batches as the capture hands them over, written as rows: a test names only the columns that it is about.
import { parseAddress } from '../../lib/capture/address.ts'
import {
  type BeginningColumns,
  type BeginningSide,
  type CaptureFaults,
  Closed,
  Confidence,
  ConnectionState,
  type DirectionColumns,
  Failed,
  type FlowBatch,
  type FlowColumns,
  type InterfaceColumns,
  Opener,
  packetClasses,
  Retired,
  type RttColumns,
  type SelfAudit,
  type StartedColumns,
  type TcpColumns,
} from '../../lib/capture/flow-batch.ts'

export interface FlowRow {
  slot?: number
  generation?: number
  fromPodPackets?: number
  fromPodBytes?: number
  toPodPackets?: number
  toPodBytes?: number
  opened?: number
  failed?: number
  closed?: number
  state?: number
  /** `Retired`; true: yes. */
  ended?: boolean | number
  handshakeSeconds?: number
  acceptedSeconds?: number
  endedAtMs?: number
  fromPod?: TcpRow
  toPod?: TcpRow
}

export interface TcpRow {
  retransmits?: number
  outOfOrder?: number
  duplicateAcks?: number
  zeroWindows?: number
  resets?: number
  rttSumSeconds?: number
}

export interface RttRow {
  row?: number
  direction?: number
  bucket?: number
  count?: number
}

export interface BeginningRow {
  row?: number
  synAtMs?: number
  fromPod?: BeginningSideRow
  toPod?: BeginningSideRow
}

export interface BeginningSideRow {
  /** Absent: its SYN or SYN-ACK was not seen. */
  sequence?: number
  firstDataAtMs?: number
}

export interface StartedRow {
  slot?: number
  generation?: number
  local?: string
  remote?: string
  localPort?: number
  remotePort?: number
  protocol?: number
  flags?: number
  interfaceSlot?: number
  opener?: number
  confidence?: number
  startMs?: number
}

export interface DirectionRow {
  skbs?: number
  skbBytes?: number
  seenPackets?: number
  seenBytes?: number
  otherPackets?: number
  otherBytes?: number
  overflowPackets?: number
  overflowBytes?: number
  filteredPackets?: number
  filteredBytes?: number
  devicePackets?: number
  overseenSkbs?: number
  unobservedSkbs?: number
  classPackets?: ClassCounts
  classBytes?: ClassCounts
}

/** By name of `packetClasses`. */
type ClassCounts = Partial<Record<(typeof packetClasses)[number], number>>

export interface InterfaceRow {
  interfaceSlot?: number
  ended?: boolean
  devicePresent?: boolean
  condition?: number
  fromPod?: DirectionRow
  toPod?: DirectionRow
}

export interface BatchParts {
  sequence?: number
  readAtMs?: number
  flows?: FlowRow[]
  rtt?: RttRow[]
  beginnings?: BeginningRow[]
  started?: StartedRow[]
  interfaces?: InterfaceRow[]
  liveFlows?: number
  collapsedFlows?: number
  faults?: Partial<CaptureFaults>
  audit?: Partial<SelfAudit>
}

/** A row of a flow that starts needs a row in `flows` too; a TCP flow that the pod opened unless it says otherwise. */
export function flowBatch(parts: BatchParts = {}): FlowBatch {
  const sequence = parts.sequence ?? 1
  return {
    sequence,
    readAtMs: parts.readAtMs ?? 1_000_000 + sequence * 1000,
    flows: flowColumns(parts.flows ?? []),
    rtt: rttColumns(parts.rtt ?? []),
    beginnings: beginningColumns(parts.beginnings ?? []),
    started: startedColumns(parts.started ?? []),
    interfaces: interfaceColumns(parts.interfaces ?? []),
    liveFlows: parts.liveFlows ?? 0,
    collapsedFlows: parts.collapsedFlows ?? 0,
    faults: { tailCallFailed: 0, indexInsertFailed: 0, slotPushFailed: 0, connectionsMerged: 0, ...parts.faults },
    audit: { audits: 0, violations: 0, newest: '', ...parts.audit },
  }
}

function flowColumns(rows: FlowRow[]): FlowColumns {
  return {
    length: rows.length,
    slot: Uint32Array.from(rows, row => row.slot ?? 7),
    generation: Uint32Array.from(rows, row => row.generation ?? 1),
    fromPodPackets: Float64Array.from(rows, row => row.fromPodPackets ?? 0),
    fromPodBytes: Float64Array.from(rows, row => row.fromPodBytes ?? 0),
    toPodPackets: Float64Array.from(rows, row => row.toPodPackets ?? 0),
    toPodBytes: Float64Array.from(rows, row => row.toPodBytes ?? 0),
    opened: Uint8Array.from(rows, row => row.opened ?? 0),
    failed: Uint8Array.from(rows, row => row.failed ?? Failed.none),
    closed: Uint8Array.from(rows, row => row.closed ?? Closed.none),
    state: Uint8Array.from(rows, row => row.state ?? ConnectionState.none),
    ended: Uint8Array.from(rows, row => Number(row.ended ?? Retired.no)),
    handshakeSeconds: Float64Array.from(rows, row => row.handshakeSeconds ?? Number.NaN),
    acceptedSeconds: Float64Array.from(rows, row => row.acceptedSeconds ?? Number.NaN),
    endedAtMs: Float64Array.from(rows, row => row.endedAtMs ?? Number.NaN),
    fromPod: tcpColumns(rows.map(row => row.fromPod ?? {})),
    toPod: tcpColumns(rows.map(row => row.toPod ?? {})),
  }
}

function tcpColumns(rows: TcpRow[]): TcpColumns {
  const column = (key: keyof TcpRow) => Uint32Array.from(rows, row => row[key] ?? 0)
  return {
    retransmits: column('retransmits'),
    outOfOrder: column('outOfOrder'),
    duplicateAcks: column('duplicateAcks'),
    zeroWindows: column('zeroWindows'),
    resets: column('resets'),
    rttSumSeconds: Float64Array.from(rows, row => row.rttSumSeconds ?? 0),
  }
}

function rttColumns(rows: RttRow[]): RttColumns {
  return {
    length: rows.length,
    row: Uint32Array.from(rows, row => row.row ?? 0),
    direction: Uint8Array.from(rows, row => row.direction ?? 0),
    bucket: Uint8Array.from(rows, row => row.bucket ?? 0),
    count: Uint32Array.from(rows, row => row.count ?? 1),
  }
}

function beginningColumns(rows: BeginningRow[]): BeginningColumns {
  return {
    length: rows.length,
    row: Uint32Array.from(rows, row => row.row ?? 0),
    synAtMs: Float64Array.from(rows, row => row.synAtMs ?? Number.NaN),
    fromPod: beginningSide(rows.map(row => row.fromPod ?? {})),
    toPod: beginningSide(rows.map(row => row.toPod ?? {})),
  }
}

function beginningSide(rows: BeginningSideRow[]): BeginningSide {
  return {
    hasSequence: Uint8Array.from(rows, row => (row.sequence === undefined ? 0 : 1)),
    sequence: Uint32Array.from(rows, row => row.sequence ?? 0),
    firstDataAtMs: Float64Array.from(rows, row => row.firstDataAtMs ?? Number.NaN),
  }
}

function startedColumns(rows: StartedRow[]): StartedColumns {
  return {
    length: rows.length,
    slot: Uint32Array.from(rows, row => row.slot ?? 7),
    generation: Uint32Array.from(rows, row => row.generation ?? 1),
    localAddress: addressColumn(rows.map(row => row.local ?? '10.0.0.1')),
    remoteAddress: addressColumn(rows.map(row => row.remote ?? '10.0.0.2')),
    family: Uint8Array.from(rows, row => (row.remote?.includes(':') ? 6 : 4)),
    localPort: Uint16Array.from(rows, row => row.localPort ?? 40_000),
    remotePort: Uint16Array.from(rows, row => row.remotePort ?? 8080),
    protocol: Uint8Array.from(rows, row => row.protocol ?? 6),
    flags: Uint8Array.from(rows, row => row.flags ?? 0),
    interfaceSlot: Uint16Array.from(rows, row => row.interfaceSlot ?? 1),
    opener: Uint8Array.from(rows, row => row.opener ?? Opener.local),
    confidence: Uint8Array.from(rows, row => row.confidence ?? Confidence.handshake),
    startMs: Float64Array.from(rows, row => row.startMs ?? 1_000_500),
  }
}

function interfaceColumns(rows: InterfaceRow[]): InterfaceColumns {
  return {
    length: rows.length,
    interfaceSlot: Uint16Array.from(rows, row => row.interfaceSlot ?? 1),
    ended: Uint8Array.from(rows, row => (row.ended ? 1 : 0)),
    devicePresent: Uint8Array.from(rows, row => (row.devicePresent === false ? 0 : 1)),
    condition: Uint8Array.from(rows, row => row.condition ?? 0),
    fromPod: directionColumns(rows.map(row => row.fromPod ?? {})),
    toPod: directionColumns(rows.map(row => row.toPod ?? {})),
  }
}

function directionColumns(rows: DirectionRow[]): DirectionColumns {
  const column = (key: Exclude<keyof DirectionRow, 'classPackets' | 'classBytes'>) =>
    Float64Array.from(rows, row => row[key] ?? 0)
  const classes = (key: 'classPackets' | 'classBytes') =>
    Float64Array.from(rows.flatMap(row => packetClasses.map(name => row[key]?.[name] ?? 0)))
  return {
    skbs: column('skbs'),
    skbBytes: column('skbBytes'),
    seenPackets: column('seenPackets'),
    seenBytes: column('seenBytes'),
    otherPackets: column('otherPackets'),
    otherBytes: column('otherBytes'),
    overflowPackets: column('overflowPackets'),
    overflowBytes: column('overflowBytes'),
    filteredPackets: column('filteredPackets'),
    filteredBytes: column('filteredBytes'),
    devicePackets: column('devicePackets'),
    overseenSkbs: column('overseenSkbs'),
    unobservedSkbs: column('unobservedSkbs'),
    classPackets: classes('classPackets'),
    classBytes: classes('classBytes'),
  }
}

function addressColumn(addresses: string[]): Uint8Array {
  const column = new Uint8Array(addresses.length * 16)
  addresses.forEach((address, row) => {
    const bytes = parseAddress(address)
    if (!bytes) throw new Error(`${address} is no address`)
    column.set(bytes, row * 16)
  })
  return column
}
