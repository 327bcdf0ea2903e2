import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { attributionResults } from '../../lib/aggregate/attribution.ts'
import { Confidence, FlowFlag, Opener } from '../../lib/capture/flow-batch.ts'
import { Backends } from '../../lib/enrich/backends.ts'
import type { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { edgesOf } from '../aggregate/small-cluster.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import {
  clusterPod,
  clusterService,
  clusterSlice,
  HEARD_MS,
  ofDeployment,
  tcpPort,
} from '../support/cluster-objects.ts'
import { type FlowRow, flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { PretendNat } from '../support/pretend-nat.ts'
import { agent, namesOf, pods, tellAll } from './two-nodes.ts'

const VIP = '10.96.0.9'
const [BLUE, GREEN] = ['10.2.0.20', '10.2.0.21']
const UDP = 17

const front = clusterService({
  ...{ name: 'front', addresses: [VIP, '203.0.113.90'] },
  ports: [tcpPort(80, 30_090), { port: 80, protocol: 'udp', nodePort: 0, target: 80 }],
})
const blue = clusterPod({ name: 'blue-1', node: 'n2', addresses: [BLUE], ...ofDeployment('blue') })
const green = clusterPod({ name: 'green-1', node: 'n2', addresses: [GREEN], ...ofDeployment('green') })

describe('Backends', () => {
  let names: ClusterNames
  let nat: PretendNat
  let logged: CapturedLog
  let backends: Backends
  let on: ReturnType<typeof agent>
  let sequence: number

  beforeEach(() => {
    names = namesOf()
    tellAll(names)
    for (const pod of [blue, green]) names.changed('pods', pod, HEARD_MS)
    names.changed('services', front, HEARD_MS)
    names.changed('endpointslices', clusterSlice({ service: 'front', pods: ['blue-1', 'green-1'] }), HEARD_MS)
    nat = new PretendNat()
    logged = capturedLog()
    backends = new Backends({ names, source: nat, log: logged.log })
    on = agent(names, [pods.web.uid], 'off', backends)
    sequence = 0
  })

  /** A drain: flows that start, 100 bytes sent on each; and the same on those of `moving` that go on. */
  async function drain(started: StartedRow[], moving: FlowRow[] = []): Promise<Record<string, number[]>> {
    sequence++
    const rows = started.map(row => ({
      ...{ generation: 1, local: '10.1.0.11', localPort: 40_000, remote: VIP, remotePort: 80 },
      ...{ startMs: HEARD_MS + 500, opener: Opener.local, ...row },
    }))
    const flows = [...rows.map(({ slot, generation }) => ({ slot: slot!, generation })), ...moving].map(row => ({
      ...{ generation: 1, fromPodPackets: 1, fromPodBytes: 100, ...row },
    }))
    const batch = flowBatch({ sequence, started: rows, flows, readAtMs: HEARD_MS + sequence * 1000 })
    await backends.look(batch)
    on.table.apply(batch)
    return requests()
  }

  const requests = () =>
    Object.fromEntries(Object.entries(edgesOf(on.edges)).map(([edge, [bytes]]) => [edge, bytes])) as never

  it('name the pod that took each flow, and keep the Service and the port that was dialled', async () => {
    nat.bySlot.set(1, `${BLUE}:8080`).set(2, `${GREEN}:8081`).set(3, 'asSent').set(4, 'untracked').set(5, 'gone')
    assert.deepEqual(await drain([1, 2, 3, 4, 5].map(slot => ({ slot }))), {
      'web>blue:80/tcp client': 100,
      'web>green:80/tcp client': 100,
      'web>:80/tcp client': 300,
    })
    assert.deepEqual(
      on.edges.edges.map(each => each?.server.service),
      ['front', 'front', 'front'],
    )
    const [first] = [...on.table.views(false)]
    assert.deepEqual([first!.remote.class, first!.remote.pod?.name], ['service', 'blue-1'])
    const bytes = Object.fromEntries([...on.table.attribution.bytes].map((sum, i) => [attributionResults[i], sum]))
    assert.deepEqual([bytes.backend, bytes.service], [200, 300])
    assert.deepEqual(backends.counts, { translated: 2, as_sent: 1, untracked: 1, gone: 1, failed: 0 })
  })

  it('are asked for node ports and load balancer addresses too, and for nothing that is no Service’s', async () => {
    await drain([
      { slot: 1, remote: '192.168.1.1', remotePort: 30_090 },
      { slot: 2, remote: '203.0.113.90' },
      { slot: 3, remote: BLUE },
      { slot: 4, remote: '198.51.100.8' },
      { slot: 5, remote: '192.168.1.1', remotePort: 22 },
    ])
    assert.deepEqual(nat.asked, [[1, 2]])
  })

  it('are not asked for what has no ports, and for what the remote has opened', async () => {
    await drain([
      { slot: 1, protocol: 1, localPort: 7, remotePort: 7 },
      { slot: 2, flags: FlowFlag.collapsed, localPort: 0 },
      { slot: 3, flags: FlowFlag.fragment, localPort: 0, remotePort: 0 },
      { slot: 4, opener: Opener.remote },
      { slot: 5, protocol: UDP, opener: Opener.remote, confidence: Confidence.firstPacket },
      { slot: 6, opener: Opener.remote, confidence: Confidence.firstPacket },
    ])
    assert.deepEqual(nat.asked, [[6]])
  })

  it('ask once for a connection, however often names change', async () => {
    nat.bySlot.set(1, `${BLUE}:8080`)
    await drain([{ slot: 1 }])
    names.changed('pods', clusterPod({ name: 'other', addresses: ['10.1.0.99'] }), HEARD_MS)
    assert.deepEqual(await drain([], [{ slot: 1 }]), { 'web>blue:80/tcp client': 200 })
    assert.deepEqual(nat.asked, [[1]])
  })

  it('follow a flow of datagrams that is sent anew, and leave with the earlier pod what it had', async () => {
    const udp = { slot: 1, protocol: UDP, confidence: Confidence.firstPacket }
    nat.bySlot.set(1, `${BLUE}:53`)
    await drain([udp])
    nat.bySlot.set(1, `${GREEN}:53`)
    await drain([])
    assert.deepEqual(nat.asked, [[1]], 'it did not move')
    assert.deepEqual(await drain([], [{ slot: 1 }]), { 'web>blue:80/udp client': 100, 'web>green:80/udp client': 100 })
    nat.bySlot.set(1, 'untracked')
    assert.deepEqual(await drain([], [{ slot: 1 }]), { 'web>blue:80/udp client': 100, 'web>green:80/udp client': 200 })
    await drain([], [{ slot: 1, ended: true }])
    await drain([{ slot: 1, generation: 2, remote: BLUE, protocol: UDP }])
    assert.deepEqual(nat.asked, [[1], [1], [1]])
  })

  it('are whoever has the address when the flow is sent there, not when it began', async () => {
    const of = (name: string, parts = {}) =>
      clusterPod({ name: `${name}-1`, node: 'n2', addresses: ['10.2.0.31'], ...ofDeployment(name), ...parts })
    names.changed('pods', of('old'), HEARD_MS)
    nat.bySlot.set(1, `${BLUE}:53`)
    await drain([{ slot: 1, protocol: UDP, confidence: Confidence.firstPacket }])
    names.deleted('pods', of('old').uid, HEARD_MS + 1200)
    names.changed('pods', of('new', { createdMs: HEARD_MS + 1300 }), HEARD_MS + 1400)
    nat.bySlot.set(1, '10.2.0.31:53')
    assert.deepEqual(await drain([], [{ slot: 1 }]), { 'web>blue:80/udp client': 100, 'web>new:80/udp client': 100 })
  })

  it('are asked for with the next drain when words of the Service come late', async () => {
    const late = clusterService({ name: 'late', addresses: ['10.96.0.50'], ports: [tcpPort(80)] })
    nat.bySlot.set(1, `${GREEN}:8080`)
    await drain([{ slot: 1, remote: '10.96.0.50' }])
    assert.deepEqual(nat.asked, [])
    names.changed('services', late, HEARD_MS + 1500)
    await drain([], [{ slot: 1 }])
    assert.deepEqual(await drain([], [{ slot: 1 }]), {
      'web>unknown:80/tcp client': 100,
      'web>:80/tcp client': 100,
      'web>green:80/tcp client': 100,
    })
    assert.deepEqual(nat.asked, [[1]])
  })

  it('get their name when words of the pod come late', async () => {
    const young = clusterPod({ name: 'young-1', node: 'n2', addresses: ['10.2.0.30'], ...ofDeployment('young') })
    nat.bySlot.set(1, '10.2.0.30:8080')
    assert.deepEqual(await drain([{ slot: 1 }]), { 'web>:80/tcp client': 100 })
    names.changed('pods', young, HEARD_MS + 1500)
    assert.deepEqual(await drain([], [{ slot: 1 }]), { 'web>:80/tcp client': 100, 'web>young:80/tcp client': 100 })
  })

  it('have no place of their own: their own interfaces count what goes from zone to zone', async () => {
    const zoned = agent(names, [pods.web.uid], 'on', backends)
    nat.bySlot.set(1, `${BLUE}:8080`)
    await drain([{ slot: 1 }])
    const [view] = [...on.table.views(false)]
    assert.equal(view!.remote.place, undefined)
    zoned.see({ local: '10.1.0.11', remote: VIP, remotePort: 80, opener: Opener.local })
    assert.deepEqual(zoned.edges.zones!.crossings, [])
  })

  it('end at the Service where nobody answers; the log says so once', async () => {
    nat.refuses = new Error('ask connection tracking: Operation not permitted; grant CAP_NET_ADMIN')
    for (const slot of [1, 2]) assert.deepEqual(Object.keys(await drain([{ slot }])), ['web>:80/tcp client'])
    assert.deepEqual(logged.messages, [
      'module conntrack: ask connection tracking: Operation not permitted; grant CAP_NET_ADMIN',
    ])
    // The first flow was asked for once more.
    assert.equal(backends.counts.failed, 3)
  })

  it('say when the first hundred flows to Services are tracked elsewhere', async () => {
    const slots = Array.from({ length: 100 }, (_, i) => ({ slot: i + 1, localPort: 40_000 + i }))
    await drain(slots.slice(1))
    assert.deepEqual(logged.messages, [])
    await drain(slots.slice(0, 1))
    await drain([{ slot: 101 }])
    assert.equal(logged.messages.length, 1)
    assert.match(logged.messages[0]!, /none of 100 flows to Services .*hostNetwork: true/)
  })
})
