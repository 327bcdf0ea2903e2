import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { attributionResults } from '../../lib/aggregate/attribution.ts'
import { Confidence, Opener } from '../../lib/capture/flow-batch.ts'
import type { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { DialledFlows } from '../../lib/enrich/dialled-flows.ts'
import { HostServers } from '../../lib/enrich/host-servers.ts'
import { ownerAt } from '../../lib/enrich/host-sockets.ts'
import { edgesOf } from '../aggregate/small-cluster.ts'
import { addressKeyOf as key } from '../support/address-key.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { clusterPod, HEARD_MS, ofDeployment } from '../support/cluster-objects.ts'
import { type FlowRow, flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { columnsOf, type PretendSocket, PretendSockets } from '../support/pretend-sockets.ts'
import { agent, namesOf, pods, tellAll } from './two-nodes.ts'

const NODE = '192.168.1.1'
const BRIDGE = '10.1.0.1'
const NODE_IPV6 = 'fd00:ffff::1'
const UDP = 17
const EXPORTER = '11111111-2222-3333-4444-555555555555'
const OTHER = '66666666-7777-8888-9999-000000000000'

function ofPod(uid: string, container = 'a'): string {
  return `/kubepods.slice/kubepods-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-${container.repeat(64)}.scope`
}

function hostPod(name: string, uid: string) {
  return clusterPod({ name: `${name}-1`, uid, hostNetwork: true, addresses: [NODE], ...ofDeployment(name) })
}

describe('HostServers', () => {
  let names: ClusterNames
  let sockets: PretendSockets
  let logged: CapturedLog
  let servers: HostServers
  let on: ReturnType<typeof agent>
  let own: string[]
  let nowMs: number
  let sequence: number

  beforeEach(() => {
    names = namesOf()
    tellAll(names)
    names.changed('pods', hostPod('exporter', EXPORTER), HEARD_MS)
    names.changed('pods', hostPod('other', OTHER), HEARD_MS)
    sockets = new PretendSockets()
    sockets.sockets.push(
      { port: 9100, cgroup: ofPod(EXPORTER) },
      { port: 10_250, cgroup: '/system.slice/kubelet.service' },
    )
    logged = capturedLog()
    own = [NODE, BRIDGE, NODE_IPV6]
    nowMs = 0
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
    servers = new HostServers({ names, source: sockets, addresses: () => own, log: logged.log, clock })
    on = agent(names, [pods.web.uid], 'off', servers)
    sequence = 0
  })

  /** A drain: flows that start, 100 bytes sent on each; and the same on those of `moving` that go on. */
  async function drain(
    started: StartedRow[],
    { moving = [], more }: { moving?: FlowRow[]; more?: DialledFlows } = {},
  ): Promise<Record<string, number>> {
    sequence++
    const rows = started.map(row => ({
      ...{ generation: 1, local: '10.1.0.11', localPort: 40_000, remote: NODE, remotePort: 9100 },
      ...{ startMs: HEARD_MS + 500, opener: Opener.local, ...row },
    }))
    const flows = [...rows.map(({ slot, generation }) => ({ slot: slot!, generation })), ...moving].map(row => ({
      ...{ generation: 1, fromPodPackets: 1, fromPodBytes: 100, ...row },
    }))
    const batch = flowBatch({ sequence, started: rows, flows, readAtMs: HEARD_MS + sequence * 1000 })
    await servers.look(batch, more)
    on.table.apply(batch)
    return Object.fromEntries(Object.entries(edgesOf(on.edges)).map(([edge, [bytes]]) => [edge, bytes!]))
  }

  it('are the pods whose sockets take what is sent to this node; everything else there is the node', async () => {
    const rows = [
      { slot: 1 },
      { slot: 2, remote: BRIDGE },
      { slot: 3, remotePort: 10_250 },
      { slot: 4, remotePort: 7 },
      { slot: 5, remote: '192.168.1.2' },
    ]
    assert.deepEqual(await drain(rows), {
      'web>exporter:9100/tcp client': 200,
      'web>node:10250/tcp client': 100,
      'web>node:7/tcp client': 100,
      'web>node:9100/tcp client': 100,
    })
    assert.deepEqual(sockets.asked, [['6/9100', '6/10250', '6/7']])
    const [first] = [...on.table.views(false)]
    assert.deepEqual([first!.remote.class, first!.remote.pod?.name, first!.remote.place], ['node', 'exporter-1', PLACE])
    const bytes = Object.fromEntries([...on.table.attribution.bytes].map((sum, i) => [attributionResults[i], sum]))
    assert.deepEqual([bytes.socket, bytes.node], [200, 300])
  })

  it('are not asked for where the remote has opened, nor for what is a Service’s', async () => {
    await drain([
      { slot: 1, opener: Opener.remote, localPort: 80, remotePort: 45_000 },
      { slot: 2, opener: Opener.remote, protocol: UDP, confidence: Confidence.firstPacket, localPort: 53 },
      { slot: 3, remotePort: 30_080 },
      { slot: 4, remote: '198.51.100.8' },
      { slot: 5, remote: '10.1.0.12' },
    ])
    assert.deepEqual(sockets.asked, [])
  })

  it('serve nobody’s client: what comes from a node’s port that somebody listens on is the node', async () => {
    sockets.sockets.push({ port: 45_000, cgroup: ofPod(EXPORTER) })
    const inTheMiddle = { confidence: Confidence.firstPacket, opener: Opener.unknown }
    names.changed('pods', { ...pods.web, ports: ['tcp/80'] }, HEARD_MS)
    assert.deepEqual(await drain([{ slot: 1, ...inTheMiddle, localPort: 80, remotePort: 50_000 }]), {
      'node>web:80/tcp server': 0,
    })
    // Both ends serve their ports: the lower one decides.
    assert.deepEqual(Object.keys(await drain([{ slot: 2, ...inTheMiddle, localPort: 80, remotePort: 45_000 }])), [
      'node>web:80/tcp server',
    ])
  })

  it('say who opened a connection that was met in the middle', async () => {
    sockets.sockets.push({ port: 50_051, cgroup: ofPod(EXPORTER) })
    const inTheMiddle = { confidence: Confidence.firstPacket, opener: Opener.unknown }
    assert.deepEqual(await drain([{ slot: 1, ...inTheMiddle, localPort: 33_000, remotePort: 50_051 }]), {
      'web>exporter:50051/tcp client': 100,
    })
  })

  it('are not who has declared the port, where the socket is another’s', async () => {
    const declared = { ...hostPod('other', OTHER), hostPorts: ['tcp/9100', 'tcp/10250', 'tcp/7'] }
    names.changed('pods', declared, HEARD_MS)
    assert.deepEqual(await drain([{ slot: 1 }, { slot: 2, remotePort: 10_250 }, { slot: 3, remotePort: 7 }]), {
      'web>exporter:9100/tcp client': 100,
      'web>node:10250/tcp client': 100,
      'web>other:7/tcp client': 100,
    })
  })

  it('stay who they were when the flow began, and are another for the next one', async () => {
    await drain([{ slot: 1 }])
    sockets.sockets[0] = { port: 9100, cgroup: ofPod(OTHER) }
    assert.deepEqual(await drain([{ slot: 2 }], { moving: [{ slot: 1 }] }), {
      'web>exporter:9100/tcp client': 200,
      'web>other:9100/tcp client': 100,
    })
    names.changed('pods', clusterPod({ name: 'new', addresses: ['10.1.0.99'] }), HEARD_MS)
    assert.deepEqual(await drain([], { moving: [{ slot: 1 }, { slot: 2 }] }), {
      'web>exporter:9100/tcp client': 300,
      'web>other:9100/tcp client': 200,
    })
  })

  it('take over flows of datagrams with the port', async () => {
    sockets.sockets.push({ port: 8125, protocol: UDP, cgroup: ofPod(EXPORTER) })
    const udp = { slot: 1, protocol: UDP, remotePort: 8125, confidence: Confidence.firstPacket }
    await drain([udp])
    sockets.sockets[2] = { port: 8125, protocol: UDP, cgroup: ofPod(OTHER) }
    assert.deepEqual(await drain([], { moving: [{ slot: 1 }] }), {
      'web>exporter:8125/udp client': 100,
      'web>other:8125/udp client': 100,
    })
  })

  it('get their name when words of the pod come late', async () => {
    const late = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'
    sockets.sockets[0] = { port: 9100, cgroup: ofPod(late) }
    assert.deepEqual(await drain([{ slot: 1 }]), { 'web>node:9100/tcp client': 100 })
    names.changed('pods', hostPod('late', late), HEARD_MS + 1500)
    assert.deepEqual(await drain([], { moving: [{ slot: 1 }] }), {
      'web>node:9100/tcp client': 100,
      'web>late:9100/tcp client': 100,
    })
  })

  it('are asked for with the next drain when it becomes known whose address that is', async () => {
    own = [NODE, '172.16.0.1']
    nowMs = 40_000
    await drain([{ slot: 1, remote: '172.16.0.1' }])
    assert.deepEqual(sockets.asked, [])
    names.changed('nodes', { ...NODE_OBJECT, addresses: [NODE, '172.16.0.1'] }, HEARD_MS + 1500)
    await drain([], { moving: [{ slot: 1 }] })
    assert.deepEqual(await drain([], { moving: [{ slot: 1 }] }), {
      'web>unknown:9100/tcp client': 100,
      'web>node:9100/tcp client': 100,
      'web>exporter:9100/tcp client': 100,
    })
  })

  it('are found on addresses that come later', async () => {
    await drain([{ slot: 1 }])
    own.push('10.1.0.200')
    nowMs = 29_000
    await drain([{ slot: 2, remote: '10.1.0.200' }])
    nowMs = 31_000
    await drain([{ slot: 3, remote: '10.1.0.200' }])
    assert.deepEqual(Object.keys(await drain([])), ['web>exporter:9100/tcp client', 'web>node:9100/tcp client'])
    assert.equal(sockets.asked.length, 2)
  })

  it('are containers of the host’s network, too, by the beginning of their ids', async () => {
    sockets.sockets[0] = { port: 9100, cgroup: `/system.slice/docker-${'c0ffee'.repeat(10)}beef.scope` }
    assert.deepEqual(await drain([{ slot: 1 }]), { 'web>c0ffeec0ffee:9100/tcp client': 100 })
  })

  it('are asked for behind Services, where that is known', async () => {
    const more = new DialledFlows()
    more.add(1, 1, { address: key(NODE), protocol: 6, port: 9100 })
    await drain([{ slot: 1, remote: '10.96.0.1', remotePort: 80 }], { more })
    assert.deepEqual(sockets.asked, [['6/9100']])
    const point = { protocol: 6, port: 9100, interfaceSlot: 1, slot: 1, generation: 1 }
    assert.equal(servers.remote(key(NODE), HEARD_MS, point).workload?.name, 'exporter')
  })

  it('are the node where nobody answers; the log says so once', async () => {
    sockets.refuses = new Error('list sockets tcp: Operation not permitted')
    for (const slot of [1, 2]) assert.deepEqual(Object.keys(await drain([{ slot }])), ['web>node:9100/tcp client'])
    assert.equal(logged.messages.length, 1)
    assert.match(logged.messages[0]!, /^list sockets tcp: Operation not permitted; /)
  })
})

const PLACE = { node: 'n1', zone: 'a', region: 'r' }
const NODE_OBJECT = {
  uid: 'uid-node-n1',
  namespace: '',
  name: 'n1',
  podCidrs: ['10.1.0.0/24', 'fd00:1::/64'],
  zone: 'a',
  region: 'r',
}

describe('the socket that takes a packet', () => {
  const mine = { cgroup: ofPod(EXPORTER) }
  const others = { cgroup: ofPod(OTHER) }

  for (const [what, address, sockets, expected] of [
    [
      'is the one of its own address before one of any',
      NODE,
      [
        { ...others, port: 1 },
        { ...mine, port: 1, address: NODE },
      ],
      EXPORTER,
    ],
    ['is not one of another address', NODE, [{ ...mine, port: 1, address: '127.0.0.1' }], undefined],
    ['is one of any address of IPv4', NODE, [{ ...mine, port: 1, address: '0.0.0.0' }], EXPORTER],
    ['is one of IPv6 that takes IPv4', NODE, [{ ...mine, port: 1 }], EXPORTER],
    ['is not one of IPv6 alone', NODE, [{ ...mine, port: 1, onlyIpv6: true }], undefined],
    ['is one of IPv6 alone, for IPv6', NODE_IPV6, [{ ...mine, port: 1, onlyIpv6: true }], EXPORTER],
    ['is not one of any address of IPv4, for IPv6', NODE_IPV6, [{ ...mine, port: 1, address: '0.0.0.0' }], undefined],
    [
      'is not one of another port or protocol',
      NODE,
      [
        { ...mine, port: 2 },
        { ...mine, port: 1, protocol: UDP },
      ],
      undefined,
    ],
    [
      'is any of a pod’s that share it',
      NODE,
      [
        { ...mine, port: 1 },
        { cgroup: ofPod(EXPORTER, 'b'), port: 1 },
      ],
      EXPORTER,
    ],
    [
      'is nobody’s where two pods share it',
      NODE,
      [
        { ...mine, port: 1 },
        { ...others, port: 1 },
      ],
      'nobody',
    ],
    ['is nobody’s that has no pod', NODE, [{ port: 1, cgroup: '/system.slice/sshd.service' }], 'nobody'],
  ] as const satisfies readonly (readonly [string, string, readonly PretendSocket[], string | undefined])[])
    it(what, () => {
      const owner = ownerAt(columnsOf(sockets), { address: key(address), protocol: 6, port: 1 })
      assert.equal(owner && (owner.podUid ?? 'nobody'), expected)
    })
})
