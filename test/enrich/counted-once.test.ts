// The paths of docs/counted-once.md, each as the two interfaces see it: what is reported by whom, and what is not.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Confidence, Opener } from '../../lib/capture/flow-batch.ts'
import { clusterPod, HEARD_MS, ofDeployment } from '../support/cluster-objects.ts'
import type { StartedRow } from '../support/flow-batch.ts'
import { agent, namesOf, pods, tellAll, twoNodes } from './two-nodes.ts'

const WEB = '10.1.0.11'
const API = '10.1.0.12'
const DB = '10.2.0.13'
const EPHEMERAL = 40_000
/** 100 bytes from the pod, 10 to it. */
const ASKED = [100, 1, 10, 1, 0]
/** Of who answers. */
const ANSWERED = [10, 1, 100, 1, 0]

type Agent = ReturnType<typeof agent>

/** A flow that the local pod opened. */
function dials(local: string, remote: string, remotePort: number, parts: StartedRow = {}): StartedRow {
  return { local, remote, remotePort, localPort: EPHEMERAL, opener: Opener.local, ...parts }
}

/** A flow that the remote opened. */
function isDialled(remote: string, local: string, localPort: number, parts: StartedRow = {}): StartedRow {
  return { local, remote, localPort, remotePort: EPHEMERAL, opener: Opener.remote, ...parts }
}

describe('counted once', () => {
  let first: Agent
  let second: Agent

  beforeEach(() => {
    ;({ first, second } = twoNodes())
  })

  /** What each agent exports, and the bytes that it leaves to others. */
  function seen(atFirst: StartedRow[], atSecond: StartedRow[] = []) {
    return { ...first.see(...atFirst), ...(atSecond.length > 0 && second.see(...atSecond)), left: leftBytes() }
  }

  function leftBytes(): number {
    return first.ledger.totals.otherEndBytes + second.ledger.totals.otherEndBytes
  }

  function assertAccounted(): void {
    for (const { ledger, edges, table } of [first, second]) {
      const { totals } = ledger
      const exported = edges.totals().bytes
      assert.equal(totals.drainedBytes, exported + totals.otherEndBytes + totals.excludedBytes)
      assert.equal(
        table.attribution.bytes.reduce((sum, bytes) => sum + bytes),
        exported,
      )
    }
  }

  afterEach(assertAccounted)

  it('pod > pod on one node: the client’s interface reports it, the server’s leaves it', () => {
    assert.deepEqual(seen([dials(WEB, API, 8080), isDialled(WEB, API, 8080, { interfaceSlot: 2 })]), {
      'web>api:8080/tcp client': ASKED,
      left: 110,
    })
  })

  it('pod > pod on two nodes: the same, and a client that nobody observes shows in what is left', () => {
    const there = isDialled(WEB, DB, 50_051)
    assert.deepEqual(seen([dials(WEB, DB, 50_051)], [there]), { 'web>db:50051/tcp client': ASKED, left: 110 })
    second.see(there)
    const between = first.edges.totals().bytes
    assert.equal(leftBytes() - between, 110)
  })

  it('ClusterIP by kube-proxy: the client dials the Service, whose workload is known, at its port', () => {
    const row = dials(WEB, '10.96.0.1', 80)
    assert.deepEqual(seen([row, isDialled(WEB, API, 8080, { interfaceSlot: 2 })]), {
      'web>api:80/tcp client': ASKED,
      left: 110,
    })
    assert.equal(first.edges.edges[0]!.server.service, 'api-svc')
  })

  it('ClusterIP by a socket load balancer: both see the pod, and nobody the Service', () => {
    assert.deepEqual(seen([dials(WEB, API, 8080), isDialled(WEB, API, 8080, { interfaceSlot: 2 })]), {
      'web>api:8080/tcp client': ASKED,
      left: 110,
    })
    assert.equal(first.edges.edges[0]!.server.service, undefined)
  })

  it('external > NodePort, policy Cluster: the server sees a node’s or an overlay’s address', () => {
    const from = ['192.168.1.1', '10.1.0.0', '10.1.0.1'].map((remote, i) => isDialled(remote, DB, 50_051 + i))
    assert.deepEqual(seen([], from), {
      'node>db:50051/tcp server': ANSWERED,
      'node>db:50052/tcp server': ANSWERED,
      'node>db:50053/tcp server': ANSWERED,
      left: 0,
    })
  })

  it('external > NodePort, policy Local: the server sees the client', () => {
    assert.deepEqual(seen([], [isDialled('198.51.100.8', DB, 5432)]), {
      'external>db:5432/tcp server': ANSWERED,
      left: 0,
    })
  })

  it('pod > NodePort and load balancer: the client names the workload behind it, the server sees the node', () => {
    const nodePort = dials(WEB, '192.168.1.2', 30_432)
    assert.deepEqual(seen([nodePort, dials(WEB, '203.0.113.80', 80)], [isDialled('192.168.1.1', DB, 5432)]), {
      'web>db:30432/tcp client': ASKED,
      'web>api:80/tcp client': ASKED,
      'node>db:5432/tcp server': ANSWERED,
      left: 0,
    })
    assert.deepEqual(
      first.edges.edges.map(edge => edge!.server.service),
      ['db-svc', 'api-svc'],
    )
  })

  it('a node that dials from a port that is one of its node ports is the node', () => {
    assert.deepEqual(seen([], [isDialled('192.168.1.1', DB, 5432, { remotePort: 30_080 })]), {
      'node>db:5432/tcp server': ANSWERED,
      left: 0,
    })
  })

  for (const back of ['10.1.0.1', '192.168.1.1', '169.254.42.1'])
    it(`hairpin by ${back}: the client dials its own Service, the server sees the node`, () => {
      const slot = { interfaceSlot: 2 }
      assert.deepEqual(seen([dials(API, '10.96.0.1', 80, slot), isDialled(back, API, 8080, slot)]), {
        'api>api:80/tcp client': ASKED,
        'node>api:8080/tcp server': ANSWERED,
        left: 0,
      })
    })

  it('host-network client > pod: the server sees the node', () => {
    assert.deepEqual(seen([isDialled('192.168.1.2', WEB, 80)]), { 'node>web:80/tcp server': ANSWERED, left: 0 })
  })

  it('pod > host-network server, kubelet: the client reports it', () => {
    assert.deepEqual(seen([dials(WEB, '192.168.1.2', 10_250)]), { 'web>node:10250/tcp client': ASKED, left: 0 })
  })

  it('pod > external: the client reports it', () => {
    assert.deepEqual(seen([dials(WEB, '198.51.100.8', 443)]), { 'web>external:443/tcp client': ASKED, left: 0 })
  })

  it('through a gateway that ends connections: two true hops', () => {
    const gateway = clusterPod({ name: 'gw-1', node: 'n2', addresses: ['10.2.0.50'], ...ofDeployment('gw') })
    for (const each of [first, second]) each.names.changed('pods', gateway, HEARD_MS)
    const there = agent(second.names, [gateway.uid])
    const out = first.see(dials(WEB, '10.2.0.50', 15_008))
    const on = there.see(isDialled(WEB, '10.2.0.50', 15_008), dials('10.2.0.50', '198.51.100.8', 443))
    assert.deepEqual([out, on], [{ 'web>gw:15008/tcp client': ASKED }, { 'gw>external:443/tcp client': ASKED }])
    assert.equal(there.ledger.totals.otherEndBytes, 110)
  })

  it('sidecar: the proxy’s outer leg is the pod’s', () => {
    assert.deepEqual(seen([dials(WEB, DB, 15_006)], [isDialled(WEB, DB, 15_006)]), {
      'web>db:15006/tcp client': ASKED,
      left: 110,
    })
  })

  it('L7 proxy on the node: two connections with one pair of addresses, each reported by the client', () => {
    const other = { localPort: EPHEMERAL + 1 }
    const atServer = isDialled(WEB, DB, 50_051, { remotePort: EPHEMERAL + 1 })
    assert.deepEqual(seen([dials(WEB, DB, 50_051), dials(WEB, DB, 50_051, other)], [atServer]), {
      'web>db:50051/tcp client': ASKED.map(each => each * 2),
      left: 110,
    })
  })

  it('cluster mesh: a pod of another cluster is outside, by the name of its block', () => {
    assert.deepEqual(seen([dials(WEB, '10.9.0.4', 80)], [isDialled('10.9.0.5', DB, 5432)]), {
      'web>other-cluster:80/tcp client': ASKED,
      'other-cluster>db:5432/tcp server': ANSWERED,
      left: 0,
    })
  })

  it('gRPC met in the middle: ports of containers say who serves, where the lower port would say the reverse', () => {
    const inTheMiddle = { confidence: Confidence.firstPacket, opener: Opener.unknown }
    const client = dials(WEB, DB, 50_051, { ...inTheMiddle, localPort: 33_000 })
    const server = isDialled(WEB, DB, 50_051, { ...inTheMiddle, remotePort: 33_000 })
    assert.deepEqual(seen([client], [server]), { 'web>db:50051/tcp client': ASKED, left: 110 })
  })

  it('met in the middle, and only an EndpointSlice says who serves', () => {
    const inTheMiddle = { confidence: Confidence.firstPacket, opener: Opener.unknown }
    const client = dials(WEB, DB, 5432, { ...inTheMiddle, localPort: 3000 })
    const server = isDialled(WEB, DB, 5432, { ...inTheMiddle, remotePort: 3000 })
    assert.deepEqual(seen([client], [server]), { 'web>db:5432/tcp client': ASKED, left: 110 })
  })

  it('met in the middle with a Service at a node’s port: the pod has dialled it', () => {
    const inTheMiddle = { confidence: Confidence.firstPacket, opener: Opener.unknown }
    const row = dials(WEB, '192.168.1.2', 30_432, { ...inTheMiddle, localPort: 20_000 })
    assert.deepEqual(seen([row]), { 'web>db:30432/tcp client': ASKED, left: 0 })
  })
})

describe('counted once where an agent knows the pods of its own node alone', () => {
  function alone() {
    const names = namesOf({ peers: 'none', nodeName: 'n2' })
    tellAll({
      ...listenerOf(names),
      changed: (resource, object, atMs) => {
        if (resource !== 'pods' || object.uid === pods.db.uid) names.changed(resource, object, atMs)
      },
    })
    return agent(names, [pods.db.uid])
  }

  it('leaves what another node’s pod has opened, and exports what may be a node', () => {
    const server = alone()
    const rows = [WEB, '10.1.0.0', '10.1.0.1', '192.168.1.1'].map((remote, i) => isDialled(remote, DB, 50_051 + i))
    assert.deepEqual(Object.keys(server.see(...rows)), [
      'node>db:50052/tcp server',
      'node>db:50053/tcp server',
      'node>db:50054/tcp server',
    ])
    assert.equal(server.ledger.totals.otherEndBytes, 110)
  })
})

function listenerOf(names: ReturnType<typeof namesOf>) {
  return { deleted: names.deleted.bind(names), synced: names.synced.bind(names) }
}
