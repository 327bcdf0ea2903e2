import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { parseFlowFilter } from '../../lib/config/flow-filter.ts'
import { AttributeSubject, RecordSubject } from '../../lib/signals/filter-subject.ts'
import { filterOf, predicateOf } from '../../lib/signals/flow-predicate.ts'
import type { End, FlowRecord } from '../../lib/signals/flow-record.ts'
import { flowRecord, tcpRecord } from '../support/flow-records.ts'
import { tried } from '../support/properties.ts'

const frontend: End = {
  ...{ namespace: 'shop', workload: 'frontend', kind: 'Deployment', pod: 'frontend-7d', node: 'n1', zone: 'a' },
  ...{ labels: { app: 'web', tier: '' }, address: '10.0.0.1', port: 40_000 },
}
const record = flowRecord({
  source: frontend,
  destination: {
    namespace: 'pay',
    workload: 'ledger',
    kind: 'StatefulSet',
    service: 'ledger',
    address: 'fd00::2',
    port: 5433,
  },
  tcp: tcpRecord({ state: 'reset_by_server', rttSeconds: 0.02 }),
  problems: ['reset', 'zero window'],
})

describe('a flow filter', () => {
  for (const filter of [
    ...[
      '',
      'frontend',
      'shop/frontend',
      'front*',
      'src:frontend',
      'SHOP',
      'frontend-7d',
      'pay/ledger',
      'n1',
      'fd00::2',
      '10.0.0.0/30',
    ],
    ...[
      'ns:shop',
      'ns:pay',
      'src.ns:shop',
      'dst.ns:pay',
      'ns:nope,shop',
      'ns!=nope',
      '-ns:nope',
      'ns~^sh',
      'kind:statefulset',
      'kind=StatefulSet',
    ],
    ...[
      'pod:frontend-??',
      'svc:ledger',
      'dst.svc:*',
      '-src.svc:*',
      'node:n1',
      'zone:a',
      'label:app',
      'label:app=w?b',
      'label:tier=',
      'src.label:app=web',
    ],
    ...[
      'ip:10.0.0.1',
      'ip:10.0.0.0/8',
      'dst.ip:fd00::/8',
      '-ip:192.168.0.0/16',
      'port:5433',
      'dst.port:5000-6000',
      'src.port>1024',
      'port=40000',
      'port!=1',
    ],
    ...[
      'proto:tcp',
      'type:ipv4',
      'observer:client',
      'iface:eth*',
      'state:reset-by-server',
      'state:active',
      'state:reset*',
      'problem:zero-window',
      'problem:"zero window"',
    ],
    ...[
      'rtt>19ms',
      'rtt<=20ms',
      'rtt:20ms',
      'age>1s',
      'age<1.2s',
      'bytes:17300',
      'bytes>17KB',
      'packets=21',
      'rate>10KB/s',
      'ns:shop ns:pay port>1 -proto:udp',
    ],
  ])
    it(`fits by ${filter || 'nothing'}`, () => assert.ok(fits(filter)))

  for (const filter of [
    ...[
      'front',
      'src:ledger',
      'dst:frontend',
      'shop/ledger',
      'fd00::3',
      'ns:sho',
      'dst.ns:shop',
      'ns!=shop',
      '-ns:shop',
      'ns~^op$',
      'kind=statefulset',
    ],
    ...[
      'svc:frontend',
      'dst.node:*',
      'dst.zone:*',
      'label:ap',
      'label:app=',
      'dst.label:app',
      'ip:10.0.0.2',
      'src.ip:fd00::/8',
      'port:5432',
      'src.port:5433',
      'port!=5433',
    ],
    ...[
      'proto:udp',
      'type:ipv6',
      'observer:server',
      'state:refused',
      '-state:active',
      'problem:zero',
      'rtt>20ms',
      'age>2s',
      'bytes<17KB',
      'packets>21',
      'rate>1MB/s',
      'ns:shop ns:nope',
    ],
  ])
    it(`does not fit by ${filter}`, () => assert.ok(!fits(filter)))

  it('knows what is not there from what is something else', () => {
    const bare = flowRecord({ time: record.start, source: { address: '10.0.0.9', port: 0 }, transport: 'icmp' })
    for (const filter of ['src.ns:*', 'src.port:0', 'src.port>0', 'rtt>0s', 'rtt<1h', 'rate>0B/s', 'label:app'])
      assert.ok(!fits(filter, bare), filter)
    for (const filter of ['-src.ns:*', 'src.ns!=shop', '-rtt>0s']) assert.ok(fits(filter, bare), filter)
  })

  it('takes no reply for a state: of a SYN, and of an echo', () => {
    assert.ok(fits('state:no-reply', flowRecord({ tcp: tcpRecord({ state: 'timeout' }) })))
    assert.ok(fits('state:no-reply', flowRecord({ transport: 'icmp', problems: ['no reply'] })))
    assert.ok(!fits('state:no-reply', record))
  })

  it('of several includes one, and of several excludes none', () => {
    const filter = (include: string[], exclude: string[]) =>
      filterOf(
        include.map(each => parseFlowFilter(each)),
        exclude.map(each => parseFlowFilter(each)),
      )(new RecordSubject(record))
    assert.ok(filter([], []))
    assert.ok(filter(['ns:nope', 'ns:shop'], ['port:1']))
    assert.ok(!filter(['ns:nope'], []))
    assert.ok(!filter(['ns:shop'], ['port:1', 'proto:tcp']))
  })

  it('obeys the laws of logic', () => {
    fc.assert(
      fc.property(anyRecord, term, term, (flow, [key, one], [, other]) => {
        const holds = (text: string) => fits(text, flow)
        assert.notEqual(holds(`-${key}:${one}`), holds(`${key}:${one}`))
        assert.equal(holds(`${key}!=${one}`), holds(`-${key}=${one}`))
        assert.equal(holds(`${key}:${one},${other}`), holds(`${key}:${one}`) || holds(`${key}:${other}`))
        assert.equal(holds(`${key}:${one} ${key}:${other}`), holds(`${key}:${one}`) && holds(`${key}:${other}`))
        assert.equal(holds(`${key}:${one}`), holds(`src.${key}:${one}`) || holds(`dst.${key}:${one}`))
        if (holds(`${key}=${one}`)) assert.ok(holds(`${key}:${one}`))
      }),
      tried(2000),
    )
  })

  it('finds in the attributes of an edge what it finds in a flow', () => {
    fc.assert(
      fc.property(anyRecord, term, fc.nat(3), (flow, [key, value], port) => {
        const attributes = attributesOf(flow)
        const text = `${key}:${value} -port:${port} proto:tcp type:ipv4`
        const subject = new AttributeSubject(name => attributes[name])
        assert.equal(predicateOf(parseFlowFilter(text, true))(subject), fits(text, flow))
      }),
      tried(2000),
    )
  })
})

function fits(filter: string, of: FlowRecord = record): boolean {
  return predicateOf(parseFlowFilter(filter))(new RecordSubject(of))
}

const few = fc.constantFrom('a', 'b', 'ab', 'abc')
const anyEnd = fc.record(
  { namespace: few, workload: few, kind: few, pod: few, name: few, service: few, address: fc.ipV4(), port: fc.nat(3) },
  { requiredKeys: ['address', 'port'] },
) as fc.Arbitrary<End>
const anyRecord = fc
  .tuple(anyEnd, anyEnd)
  .map(([source, destination]) => flowRecord({ source: { ...source, port: 0 }, destination }))
const keys = fc.constantFrom('ns', 'workload', 'kind', 'pod', 'svc', 'name')
const term = fc.tuple(keys, fc.constantFrom('a', 'b', 'ab', 'a*', '*', '?', '*c', 'A'))

/** As docs/signals.md calls them. */
function attributesOf({ source, destination, transport, type }: FlowRecord): Record<string, string | number> {
  const ends = { source, destination }
  const named = Object.entries(ends).flatMap(([side, end]) => [
    [`${side}.k8s.namespace.name`, end.namespace],
    [`${side}.k8s.owner.name`, end.workload],
    [`${side}.k8s.owner.type`, end.kind],
    [`${side}.k8s.pod.name`, end.pod],
    [`${side}.k8s.service.name`, end.service],
    [`${side}.name`, end.name],
  ])
  const port = destination.port === 0 ? [] : [['server.port', destination.port]]
  const whole = [
    ['network.transport', transport],
    ['network.type', type],
  ]
  return Object.fromEntries([...named, ...port, ...whole].filter(([, value]) => value !== undefined))
}
