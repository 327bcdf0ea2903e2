// A log record of flows that failed, or of every flow.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Closed, Confidence, ConnectionState, Failed, FlowFlag, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import type { LogRecord } from '../../lib/signals/log-record.ts'
import type { BatchParts, StartedRow } from '../support/flow-batch.ts'
import { attributesOf, type EventOptions, ToldEvents } from './told-events.ts'

const otherEnd: StartedRow = {
  ...{ interfaceSlot: 2, local: '10.0.0.2', remote: '10.0.0.1' },
  ...{ localPort: 8080, remotePort: 40_000, opener: Opener.remote },
}
const refused = { state: ConnectionState.refused, failed: Failed.refused, endedAtMs: 1_000_900 }
const failedOnly: EventOptions = { logs: { flows: 'failed' } }

function told(batches: BatchParts[], options: EventOptions = { logs: {} }): ToldEvents {
  const events = new ToldEvents(options)
  for (const batch of batches) events.drain(batch)
  return events
}

function recordOf(started: StartedRow, batches: BatchParts[], options?: EventOptions): LogRecord {
  const [first, ...others] = batches
  const { records } = told([{ ...first, started: [started] }, ...others], options)
  assert.equal(records.length, 1)
  return records[0]!
}

describe('flow logs', () => {
  it('have one record of each flow, when it has left the table, with all that was counted', () => {
    const { records } = told([
      { started: [{}], flows: [{ fromPodPackets: 3, fromPodBytes: 300, toPodPackets: 1, toPodBytes: 90 }] },
      { flows: [{ fromPodBytes: 7, closed: Closed.fin, state: ConnectionState.closed, endedAtMs: 1_001_500 }] },
      { flows: [{ toPodBytes: 3, state: ConnectionState.closed, ended: Retired.yes, endedAtMs: 1_001_500 }] },
    ])
    assert.equal(records.length, 1)
    const said = attributesOf(records[0]!)
    assert.deepEqual(
      ['bytes.request', 'bytes.response', 'packets.request', 'packets.response', 'start', 'end'].map(
        key => said[`podweir.flow.${key}`],
      ),
      [307, 93, 3, 1, '1970-01-01T00:16:40.500Z', '1970-01-01T00:16:41.500Z'],
    )
    assert.equal(said['podweir.connection.end'], 'fin')
    const { severity, eventName, timeMs, observedMs, body } = records[0]!
    assert.deepEqual([severity, eventName, timeMs, observedMs], ['INFO', 'podweir.network.flow', 1_001_500, 1_003_000])
    assert.equal(body, 'web > tcp api:8080 fin')
  })

  it('are of failed attempts alone unless all are wanted, and as soon as they failed', () => {
    const batches = [
      { started: [{}, { slot: 8 }], flows: [{ ...refused }, { slot: 8, closed: Closed.fin }] },
      { flows: [{ ended: Retired.yes }, { slot: 8, ended: Retired.yes }] },
    ]
    const { records } = told(batches, failedOnly)
    assert.deepEqual(
      records.map(record => [record.severity, attributesOf(record)['error.type'], record.body, record.timeMs]),
      [['WARN', 'refused', 'web > tcp api:8080 refused', 1_000_900]],
    )
    assert.equal(told(batches).records.length, 2)
    assert.equal(new ToldEvents({ logs: { flows: 'off' } }).events.listener, undefined)
  })

  it('warn of a flow that failed also when all are told', () => {
    const { severity } = recordOf({}, [{ flows: [refused] }, { flows: [{ state: refused.state, ended: Retired.yes }] }])
    assert.equal(severity, 'WARN')
  })

  it('leave to the other end’s observer what it counts', () => {
    assert.deepEqual(told([{ started: [otherEnd], flows: [{ ...refused, ended: Retired.yes }] }]).records, [])
    assert.deepEqual(told([{ started: [otherEnd], flows: [refused] }], failedOnly).records, [])
  })

  it('have both ends with addresses, ports, pods and nodes, on the resource of the pod that saw it', () => {
    const events = new ToldEvents({ logs: {} })
    const place = { node: 'n1' }
    events.cluster.owners.set(1, {
      device: 'eth0',
      identity: { ...events.cluster.owners.get(1)!.identity, place },
    })
    events.drain({ started: [{ remote: '10.96.0.1', remotePort: 80 }], flows: [{ ended: Retired.yes }] })
    const said = attributesOf(events.records[0]!)
    assert.deepEqual(
      Object.fromEntries(Object.entries(said).filter(([key]) => /^(source|destination|server|network)/.test(key))),
      {
        'source.k8s.namespace.name': 'shop',
        'source.k8s.owner.name': 'web',
        'source.k8s.owner.type': 'Deployment',
        'source.k8s.pod.name': 'web-1',
        'source.k8s.pod.uid': 'uid-web-1',
        'source.k8s.node.name': 'n1',
        'source.address': '10.0.0.1',
        'source.port': 40_000,
        'destination.k8s.namespace.name': 'shop',
        'destination.k8s.owner.name': 'api',
        'destination.k8s.owner.type': 'Deployment',
        'destination.k8s.service.name': 'api-svc',
        'destination.address': '10.96.0.1',
        'destination.port': 80,
        'server.port': 80,
        'network.transport': 'tcp',
        'network.type': 'ipv4',
      },
    )
    const resource = events.records[0]!.resource.set.attributes
    assert.deepEqual(
      [resource['service.name'], resource['k8s.pod.uid'], resource['k8s.node.name']],
      ['web (net)', 'uid-web-1', 'n1'],
    )
  })

  it('have the id by which other tools call the flow, but where a port was left out', () => {
    const idOf = (started: StartedRow) =>
      attributesOf(recordOf(started, [{ flows: [{ ended: Retired.yes }] }]))['podweir.flow.community_id']
    const tcp = { local: '128.232.110.120', remote: '66.35.250.204', localPort: 34855, remotePort: 80 }
    assert.equal(idOf(tcp), '1:LQU9qZlK+B5F3KDmev6m5PMibrg=')
    const fromOutside = { local: '66.35.250.204', remote: '128.232.110.120', localPort: 80, remotePort: 34855 }
    assert.equal(idOf({ ...fromOutside, interfaceSlot: 2, opener: Opener.remote }), '1:LQU9qZlK+B5F3KDmev6m5PMibrg=')
    const echo = { protocol: 1, local: '192.168.0.89', remote: '192.168.0.1', localPort: 77, remotePort: 77 }
    assert.equal(idOf(echo), '1:X0snYXpgwiv9TZtqg64sgzUn6Dk=')
    const type = { ...echo, flags: FlowFlag.icmpType, localPort: (3 << 8) | 1, remotePort: (3 << 8) | 1 }
    assert.equal(idOf(type), '1:LXCfhMUFbYXe+CEMrQuZCbiLY3o=')
    assert.equal(idOf({ ...tcp, flags: FlowFlag.collapsed, localPort: 0 }), undefined)
  })

  it('name the span that tells of the same connection', () => {
    const beginnings = [{ fromPod: { sequence: 1 }, toPod: { sequence: 2 } }]
    const end = { closed: Closed.fin, state: ConnectionState.closed }
    const batches = [
      { started: [{}], flows: [{}], beginnings },
      { flows: [end] },
      { flows: [{ state: ConnectionState.closed, ended: Retired.yes }] },
    ]
    const { spans, records } = told(batches, { logs: {}, traces: { connections: 'all' } })
    assert.equal(spans.length, 1)
    assert.deepEqual([records[0]!.traceId, records[0]!.spanId], [spans[0]!.traceId, spans[0]!.spanId])
    const without = told(batches, { logs: {}, traces: { connections: 'failed' } })
    assert.deepEqual([without.spans.length, without.records[0]!.traceId], [0, undefined])
    const failing = told([{ started: [{}], flows: [refused] }], { ...failedOnly, traces: { connections: 'failed' } })
    assert.equal(failing.records[0]!.spanId, failing.spans[0]!.spanId)
  })

  it('add up to what edges count, when every flow has left', () => {
    const slots = Array.from({ length: 30 }, (_, slot) => slot)
    const started = slots.map(slot => ({
      ...{ slot, localPort: 40_000 + slot, protocol: [6, 17, 1, 47][slot % 4]! },
      ...(slot % 3 === 0 && { confidence: Confidence.firstPacket }),
    }))
    const events = told([
      {
        started,
        flows: slots.map(slot => ({
          slot,
          fromPodBytes: slot * 10,
          fromPodPackets: 1,
          toPodBytes: 5,
          toPodPackets: 2,
        })),
      },
      { flows: slots.map(slot => ({ slot, fromPodBytes: slot, fromPodPackets: 1 })) },
      {
        flows: slots.map(slot => ({
          slot,
          toPodBytes: 1,
          toPodPackets: 1,
          ended: slot % 5 === 0 ? Retired.parked : Retired.yes,
        })),
      },
    ])
    const { packets, bytes } = events.cluster.edges.totals()
    const sum = (what: string) =>
      events.records.reduce((all, record) => {
        const said = attributesOf(record)
        return (
          all + (said[`podweir.flow.${what}.request`] as number) + (said[`podweir.flow.${what}.response`] as number)
        )
      }, 0)
    assert.deepEqual([events.records.length, sum('packets'), sum('bytes')], [30, packets, bytes])
  })
})

describe('the cap of flow logs', () => {
  const many = (count: number, first = 0) => ({
    started: Array.from({ length: count }, (_, i) => ({ slot: first + i })),
    flows: Array.from({ length: count }, (_, i) => ({ slot: first + i, ended: Retired.yes, fromPodPackets: 1 })),
  })
  const flowsOf = ({ records }: ToldEvents) => records.filter(({ eventName }) => eventName === 'podweir.network.flow')
  const suppressedOf = ({ records }: ToldEvents) =>
    records.filter(({ eventName }) => eventName === 'podweir.network.flow.suppressed').map(attributesOf)

  it('lets so many a second through, and says exactly how many it left out', () => {
    const events = told([many(30), many(5), many(30)], { logs: { recordsPerSecond: 10 } })
    assert.equal(flowsOf(events).length, 10 + 5 + 10)
    assert.deepEqual([suppressedOf(events), events.lost.records], [[], 20 + 20])
    for (let i = 0; i < 12; i++) events.drain()
    assert.deepEqual(suppressedOf(events), [{ 'podweir.flow.suppressed': 40 }])
    assert.equal(events.records.at(-1)!.resource.set.attributes['service.name'], 'podweir')
    assert.equal(events.records.at(-1)!.severity, 'WARN')
  })

  it('says at the end what it has not said before', () => {
    const events = told([many(30)], { logs: { recordsPerSecond: 10 } })
    assert.deepEqual(suppressedOf(events.finish()), [{ 'podweir.flow.suppressed': 20 }])
    assert.equal(suppressedOf(told([many(5)]).finish()).length, 0)
  })

  it('counts both directions of the netflow profile', () => {
    const batch = many(6)
    const both = { ...batch, flows: batch.flows.map(row => ({ ...row, toPodPackets: 1 })) }
    const events = told([both], { logs: { recordsPerSecond: 9, profile: 'netflow' } })
    assert.deepEqual([flowsOf(events).length, events.lost.records], [8, 4])
  })
})

describe('flow logs in the profile netflow', () => {
  const netflow: EventOptions = { logs: { profile: 'netflow' } }
  const row = {
    fromPodPackets: 3,
    fromPodBytes: 300,
    toPodPackets: 2,
    toPodBytes: 90,
    closed: Closed.fin,
    ended: Retired.yes,
  }

  it('are one for each direction, spelled as the Collector’s netflow receiver does', () => {
    const { records } = told([{ started: [{}], flows: [{ ...row, endedAtMs: 1_000_900 }] }], netflow)
    const theirs = records.map(record =>
      Object.fromEntries(Object.entries(attributesOf(record)).filter(([key]) => !/k8s|podweir/.test(key))),
    )
    const shared = {
      ...{ 'network.transport': 'tcp', 'network.type': 'ipv4', 'flow.type': 'podweir', 'flow.sampling_rate': 1 },
      ...{ 'flow.start': 1_000_500e6, 'flow.end': 1_000_900e6, 'flow.time_received': 1_001_000e6 },
    }
    assert.deepEqual(theirs, [
      {
        ...{ 'source.address': '10.0.0.1', 'source.port': 40_000 },
        ...{ 'destination.address': '10.0.0.2', 'destination.port': 8080 },
        ...{ 'flow.io.bytes': 300, 'flow.io.packets': 3, 'flow.sequence_num': 1, ...shared },
      },
      {
        ...{ 'source.address': '10.0.0.2', 'source.port': 8080 },
        ...{ 'destination.address': '10.0.0.1', 'destination.port': 40_000 },
        ...{ 'flow.io.bytes': 90, 'flow.io.packets': 2, 'flow.sequence_num': 2, ...shared },
      },
    ])
    assert.deepEqual(
      records.map(({ timeMs }) => timeMs),
      [1_000_500, 1_000_500],
    )
    const [request, response] = records.map(attributesOf)
    assert.deepEqual(
      [request, response].map(said => said!['source.k8s.owner.name']),
      ['web', 'api'],
    )
    assert.deepEqual(
      [request, response].map(said => said!['podweir.flow.direction']),
      ['request', 'response'],
    )
  })

  it('leave out a direction without a packet, and name protocols as it does', () => {
    const started = { protocol: 58, local: 'fd00::1', remote: 'fd00::2', localPort: 1, remotePort: 1 }
    const { records } = told([{ started: [started], flows: [{ ...row, toPodPackets: 0 }] }], netflow)
    assert.deepEqual(
      records.map(record => attributesOf(record)['network.transport']),
      ['ipv6-icmp'],
    )
    assert.deepEqual(attributesOf(records[0]!)['source.port'], 0)
  })
})
