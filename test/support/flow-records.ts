// Builds flow records, and a feed that a test fills.
import { zeroFigures } from '../../lib/aggregate/figures.ts'
import type { FlowFeed, FlowRecord, StatusRecord, TcpRecord, TcpSideRecord } from '../../lib/signals/flow-record.ts'

export function flowRecord(parts: Partial<FlowRecord> = {}): FlowRecord {
  return {
    time: '2026-11-21T12:03:09.125Z',
    start: '2026-11-21T12:03:08.000Z',
    source: {
      namespace: 'shop',
      workload: 'frontend',
      kind: 'Deployment',
      pod: 'frontend-7d',
      address: '10.0.0.1',
      port: 40000,
    },
    destination: { namespace: 'shop', workload: 'cart', kind: 'Deployment', address: '10.0.0.2', port: 7070 },
    transport: 'tcp',
    type: 'ipv4',
    observer: 'client',
    counted: true,
    requestPackets: 12,
    requestBytes: 14_200,
    responsePackets: 9,
    responseBytes: 3_100,
    opened: 1,
    state: 'active',
    interface: 'eth0',
    confidence: 'handshake',
    problems: [],
    ...parts,
  }
}

export function tcpRecord(parts: Partial<TcpRecord> = {}): TcpRecord {
  return { state: 'established', request: tcpSide(), response: tcpSide(), ...parts }
}

export function tcpSide(parts: Partial<TcpSideRecord> = {}): TcpSideRecord {
  const none = { retransmitPackets: 0, outOfOrderPackets: 0, duplicateAckPackets: 0, zeroWindowEvents: 0 }
  return { ...none, resetPackets: 0, rttSamples: 0, ...parts }
}

const wire = { seen: 0, flow: 0, collapsed: 0, other: 0, overflow: 0, filtered: 0 }
const classes = zeroFigures().classes
const delivery = { drained: 0, exported: 0, otherEnd: 0, excluded: 0, queued: 0, lost: 0, restart: 0 }

export const status: StatusRecord = {
  version: '0.1.0',
  startedAt: '2026-11-21T12:00:00.000Z',
  endedUnread: 0,
  cluster: [],
  interfaces: [
    {
      pod: 'shop/cart',
      device: 'eth0',
      state: 'attached',
      place: 'pod',
      hook: 'tcx',
      since: '2026-11-21T12:00:00.000Z',
      unobservedSkbs: 0,
    },
  ],
  flows: { live: 2, limit: 32_768, collapsed: 0, parked: 0 },
  faults: { tailCallFailed: 0, indexInsertFailed: 0, slotPushFailed: 0, connectionsMerged: 0, parkedDropped: 0 },
  audit: { audits: 0, violations: 0, newest: '' },
  exporters: [{ id: 'otlp_grpc', failures: 0 }],
  ledger: {
    skbs: { device: 0, seen: 0, unobserved: 0, overseen: 0, unexplained: 0 },
    packets: wire,
    bytes: wire,
    classes,
    delivery: { packets: delivery, bytes: delivery },
  },
}

export class TestFeed implements FlowFeed {
  readonly #listeners = new Set<(records: readonly FlowRecord[]) => void>()
  records: Iterable<FlowRecord>

  constructor(records: Iterable<FlowRecord> = []) {
    this.records = records
  }

  get followers(): number {
    return this.#listeners.size
  }

  snapshot(): Iterable<FlowRecord> {
    return this.records
  }

  status(): StatusRecord {
    return status
  }

  subscribe(onBatch: (records: readonly FlowRecord[]) => void): () => void {
    this.#listeners.add(onBatch)
    return () => void this.#listeners.delete(onBatch)
  }

  drained(records: readonly FlowRecord[]): void {
    for (const listener of this.#listeners) listener(records)
  }
}
