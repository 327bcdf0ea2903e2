// What an agent asks for, for how long, and what it makes of it while a resolver is there and while there is none.
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import { PodScope } from '../../lib/enrich/pod-scope.ts'
import { PeerQuestions } from '../../lib/resolver/peer-questions.ts'
import { ToldCluster } from '../../lib/resolver/told-cluster.ts'
import { addressKeyOf } from '../support/address-key.ts'
import {
  clusterNode,
  clusterPod,
  clusterService,
  clusterSlice,
  HEARD_MS,
  ofDeployment,
  owner,
  tcpPort,
} from '../support/cluster-objects.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { scopeOf } from '../support/scope.ts'
import { LinkedAgent, LinkedResolver, TestClock } from './linked.ts'

const MINUTE_MS = 60_000

describe('a cluster that is told', () => {
  let resolver: LinkedResolver
  let agent: LinkedAgent

  beforeEach(() => {
    resolver = new LinkedResolver(new TestClock())
    resolver.changed('nodes', clusterNode({ name: 'n2', addresses: ['192.168.1.2'], podCidrs: ['10.2.0.0/24'] }))
    resolver.changed('pods', pod('db-0', '10.2.0.13', 'db'))
    agent = new LinkedAgent()
  })

  const pod = (name: string, address: string, workload: string, node = 'n2') =>
    clusterPod({ name, node, addresses: [address], ...ofDeployment(workload) })

  const flow = (address: string, port = 80) => ({ address, port, atMs: agent.clock.nowMs() - 1 })

  function nameOf(address: string, port = 80, atMs = agent.clock.nowMs() - 1): string {
    const identity = agent.names.remote(addressKeyOf(address), atMs, { protocol: 6, port, interfaceSlot: 1 })
    return [identity.class, identity.service?.name, identity.workload?.name ?? identity.name].filter(Boolean).join(' ')
  }

  function pass(ms: number): void {
    agent.clock.ms = resolver.clock.ms += ms
  }

  it('calls nobody by a name before a resolver has answered, and doubts what is told from when it is gone', async () => {
    assert.deepEqual(
      ['10.2.0.13', '198.51.100.7', '10.2.0.1'].map(each => nameOf(each)),
      ['unknown unknown', 'unknown unknown', 'unknown unknown'],
    )
    await agent.ask(resolver)
    pass(1_000)
    await agent.hear(flow('10.2.0.13'), flow('198.51.100.7'), flow('10.2.0.99'))
    assert.deepEqual(
      ['10.2.0.13', '198.51.100.7', '10.2.0.99'].map(each => nameOf(each)),
      ['pod db', 'external external', 'node node'],
    )
    agent.leave()
    const before = agent.clock.nowMs() - 1
    pass(10_000)
    assert.deepEqual(
      ['10.2.0.13', '198.51.100.7', '10.2.0.99'].map(each => nameOf(each)),
      ['pod unknown', 'unknown unknown', 'pod unknown'],
    )
    // What began while it was there is as it was.
    assert.deepEqual(
      ['10.2.0.13', '198.51.100.7', '10.2.0.99'].map(each => nameOf(each, 80, before)),
      ['pod db', 'external external', 'node node'],
    )
    assert.equal(nameOf('192.168.1.2'), 'node node')
    const { version } = agent.names
    await agent.ask(resolver)
    assert.notEqual(agent.names.version, version)
    assert.deepEqual(
      ['10.2.0.13', '198.51.100.7', '10.2.0.99'].map(each => nameOf(each)),
      ['pod db', 'external external', 'node node'],
    )
  })

  it('keeps Services and nodes as they were while there is no resolver', async () => {
    resolver.changed('services', clusterService({ name: 's', addresses: ['10.96.0.1'], ports: [tcpPort(80, 30_080)] }))
    resolver.changed('endpointslices', clusterSlice({ service: 's', pods: ['db-0'] }))
    await agent.ask(resolver)
    await agent.hear(flow('10.96.0.1'), flow('192.168.1.2', 30_080))
    agent.leave()
    pass(MINUTE_MS)
    assert.deepEqual([nameOf('10.96.0.1'), nameOf('192.168.1.2', 30_080)], ['service s db', 'service s db'])
  })

  it('asks for an address once, and again only from a resolver that knows nothing of it', async () => {
    await agent.ask(resolver)
    for (let i = 0; i < 3; i++) await agent.hear(flow('10.2.0.13'))
    const asked = () => agent.lines.filter(each => each.startsWith('> {"ask"'))
    assert.equal(asked().length, 1)
    const tag = /"10.2.0.13":{"tag":"([^"]+)"/.exec(agent.lines.join('\n'))![1]
    agent.lines.length = 0
    await agent.ask(resolver)
    assert.deepEqual(asked(), [`> {"ask":{"10.2.0.13":"${tag}"}}`])
    // It is as it was, and so is everything else.
    assert.deepEqual(
      agent.lines.filter(each => /told|nodes|nodePorts/.test(each)),
      [],
    )
    assert.equal(nameOf('10.2.0.13'), 'pod db')
  })

  it('hears of what changes, and is told nothing where nothing does', async () => {
    await agent.ask(resolver)
    await agent.hear(flow('10.2.0.13'))
    agent.lines.length = 0
    resolver.changed('pods', { ...pod('db-0', '10.2.0.13', 'db'), labels: { any: 'thing' } })
    resolver.changed('pods', pod('other', '10.2.0.14', 'other'))
    resolver.changed('nodes', clusterNode({ name: 'n2', addresses: ['192.168.1.2'], podCidrs: ['10.2.0.0/24'] }))
    await agent.hear()
    assert.deepEqual(
      agent.lines.filter(each => /told|nodes/.test(each)),
      [],
    )
    resolver.changed('pods', pod('db-0', '10.2.0.13', 'renamed'))
    resolver.changed('nodes', clusterNode({ name: 'n2', addresses: ['192.168.1.3'], podCidrs: ['10.2.0.0/24'] }))
    await agent.hear()
    assert.deepEqual(agent.lines.filter(each => /told|nodes/.test(each)).length, 2)
    assert.deepEqual(
      [nameOf('10.2.0.13'), nameOf('192.168.1.3'), nameOf('192.168.1.2')],
      ['pod renamed', 'node node', 'unknown unknown'],
    )
  })

  it('forgets what no flow has used for five minutes, and nothing that one still uses', async () => {
    await agent.ask(resolver)
    await agent.hear(flow('10.2.0.13'), flow('198.51.100.7'))
    const began = agent.clock.nowMs() - 1
    for (let minute = 0; minute < 7; minute++) {
      pass(MINUTE_MS)
      const { version } = agent.names
      await agent.hear()
      assert.notEqual(agent.names.version, version, 'flows that go on are to be asked for again')
      nameOf('10.2.0.13', 80, began)
      await agent.hear()
    }
    assert.equal(resolver.subscriptions.count, 1)
    assert.ok(agent.lines.includes('> {"forget":["198.51.100.7"]}'))
    assert.equal(agent.names.kept.pods, 1)
    assert.equal(nameOf('10.2.0.13', 80, began), 'pod db')
    for (let minute = 0; minute < 7; minute++) {
      pass(MINUTE_MS)
      await agent.hear()
      await agent.hear()
    }
    assert.deepEqual([resolver.subscriptions.count, agent.names.kept.pods, agent.names.kept.addresses], [0, 0, 0])
    // Asked for again it is there again.
    await agent.hear(flow('10.2.0.13'))
    assert.equal(nameOf('10.2.0.13'), 'pod db')
  })

  it('asks for no more than it has room for, and says unknown of the rest', async () => {
    const clock = new TestClock()
    let told: ToldCluster | undefined
    const names = new ClusterNames({
      inventory: new InventoryNames(undefined, []),
      view: onChange => {
        told = new ToldCluster({ nodeName: 'n1', clock, onChange, wordsTakeMs: 0 }, new PeerQuestions(3))
        return told
      },
    })
    const started = Array.from({ length: 10 }, (_, i) => ({ slot: i, remote: `198.51.100.${i}` }))
    await names.hear(flowBatch({ started }).started)
    assert.deepEqual([told!.questions.size, told!.questions.refused], [3, 7])
    assert.equal(names.remote(addressKeyOf('198.51.100.9'), clock.nowMs()).name, 'unknown')
  })

  it('knows its own node’s pods from the API server, and of a resolver what they are part of and serve', async () => {
    const report = clusterPod({
      name: 'report-1',
      addresses: ['10.1.0.5'],
      ports: ['tcp/9'],
      owner: owner('Job', 'report-28', 'batch/v1'),
    })
    resolver = new LinkedResolver(new TestClock(), { ownerOf: async () => owner('CronJob', 'report', 'batch/v1') })
    resolver.changed('pods', report)
    resolver.changed('endpointslices', clusterSlice({ service: 's', pods: ['report-1'], ports: ['tcp/8080'] }))
    agent.names.changed('pods', report, HEARD_MS)
    const own = () => agent.names.pod(report.uid)
    assert.deepEqual([own().workload?.kind, [...own().ports]], ['Job', ['tcp/9']])
    await agent.ask(resolver)
    await agent.hear()
    assert.deepEqual([own().workload?.kind, [...own().ports].sort()], ['CronJob', ['tcp/8080', 'tcp/9']])
    // Of its end we hear ourselves, whatever a resolver says.
    agent.names.deleted('pods', report.uid, agent.clock.nowMs())
    pass(1_000)
    await agent.hear(flow('10.1.0.5'))
    assert.equal(nameOf('10.1.0.5'), 'pod unknown')
    for (let minute = 0; minute < 13; minute++) {
      pass(MINUTE_MS)
      agent.names.changed('pods', clusterPod({ name: 'x' }), agent.clock.nowMs())
      await agent.hear()
    }
    assert.equal(agent.names.pod(report.uid).isProvisional, true)
  })

  it('leaves out pods elsewhere by their labels, if it is told these', async () => {
    const scope = new PodScope(scopeOf({ exclude: { labels: ['team=red'] } }))
    agent = new LinkedAgent({ scope })
    resolver = new LinkedResolver(new TestClock(), { labels: ['team'] })
    for (const [name, address, team] of [
      ['a', '10.2.0.1', 'red'],
      ['b', '10.2.0.2', 'blue'],
    ] as const)
      resolver.changed('pods', { ...pod(name, address, name), labels: { team } })
    await agent.ask(resolver)
    await agent.hear(flow('10.2.0.1'), flow('10.2.0.2'))
    const isOut = (address: string) => agent.names.remote(addressKeyOf(address), agent.clock.nowMs() - 1).outOfScope
    assert.deepEqual([isOut('10.2.0.1'), isOut('10.2.0.2')], [true, undefined])
    resolver.changed('pods', { ...pod('b', '10.2.0.2', 'b'), labels: { team: 'red' } })
    await agent.hear()
    assert.equal(isOut('10.2.0.2'), true)
  })

  it('does not let a resolver speak of what it was not asked, or of pods of this node', async () => {
    agent.names.changed('pods', pod('web-1', '10.1.0.11', 'web', 'n1'), HEARD_MS)
    await agent.ask(resolver)
    resolver.changed('pods', { ...pod('web-1', '10.1.0.11', 'thief', 'n2'), uid: 'uid-web-1' })
    resolver.changed('pods', pod('thief', '10.1.0.11', 'thief', 'n1'))
    await agent.hear(flow('10.1.0.11'))
    assert.equal(nameOf('10.1.0.11'), 'pod web')
    agent.told.told(
      '10.9.9.9',
      { tag: 'x', services: [{ namespace: 'a', name: 'b', ports: [], served: true }] },
      ms => ms,
    )
    assert.equal(agent.told.services.at(addressKeyOf('10.9.9.9'), undefined), undefined)
  })
})
