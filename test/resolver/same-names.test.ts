// An agent that asks a resolver says the same of every flow as one that watches the cluster itself.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { ClusterState } from '../../lib/enrich/cluster-state.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import type { ClusterListener, ClusterPod } from '../../lib/kubernetes/cluster-objects.ts'
import { addressKeyOf } from '../support/address-key.ts'
import { ChangingCluster } from '../support/changing-cluster.ts'
import { LinkedAgent, LinkedResolver, nameOf, pointOf, TestClock, type TestFlow } from './linked.ts'

const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1)
const STEPS = 150
const NODE = 'n1'

function watching(): ClusterNames {
  return new ClusterNames({
    inventory: new InventoryNames(undefined, ['192.168.1.1', '10.1.0.1']),
    view: onChange => new ClusterState({ peers: 'watch', nodeName: NODE, onChange }),
  })
}

describe('names by a resolver', () => {
  for (const seed of SEEDS)
    it(`are those of who watches all: cluster ${seed}`, async () => {
      const clock = new TestClock()
      const resolver = new LinkedResolver(new TestClock(seed % 3 === 0 ? -40_000 : seed * 1_000))
      const watch = watching()
      const agent = new LinkedAgent({ nodeName: NODE, clock })
      const cluster = new ChangingCluster(seed)
      const ofNode = onlyPodsOf(NODE, agent)
      const tell = (say: (listener: ClusterListener) => void) => {
        say(watch)
        say(resolver)
        say(ofNode)
      }
      const asked: TestFlow[] = []
      cluster.begin(tell, clock.nowMs())
      await agent.ask(resolver)
      for (let step = 0; step < STEPS; step++) {
        clock.ms = resolver.clock.ms += 1 + cluster.random(900)
        cluster.step(tell, clock.nowMs())
        const flows = cluster.flows(clock.nowMs())
        await agent.hear(...flows)
        for (const flow of flows) {
          assert.equal(nameOf(agent.names, flow), nameOf(watch, flow), said(step, flow))
          assert.equal(causeOf(agent.names, flow), causeOf(watch, flow), said(step, flow))
        }
        asked.push(...flows)
        // Flows that go on are asked for again whenever something has changed, and what that brings up by the next drain.
        const live = asked.slice(-60)
        for (const flow of live) nameOf(agent.names, flow)
        await agent.hear()
        for (const flow of live) assert.equal(nameOf(agent.names, flow), nameOf(watch, flow), said(step, flow))
        if (step % 40 === 20) await agent.ask(resolver)
      }
      assert.ok(cluster.reused > 10, `${cluster.reused} addresses were given again`)
    })
})

/** Why nobody answered, if nobody did. */
function causeOf(names: ClusterNames, flow: TestFlow): string | undefined {
  return names.failureCause(addressKeyOf(flow.address), flow.atMs, pointOf(flow))
}

function said(step: number, flow: TestFlow): string {
  return `step ${step}: ${JSON.stringify(flow)}`
}

/** The API server tells an agent of its own node's pods alone. */
function onlyPodsOf(node: string, agent: LinkedAgent): ClusterListener {
  return {
    changed: (resource, object, atMs) => {
      if (resource === 'pods' && (object as ClusterPod).node === node) agent.names.changed(resource, object, atMs)
    },
    deleted: (resource, uid, atMs) => agent.names.deleted(resource, uid, atMs),
    synced: (resource, uids, atMs) => {
      if (resource === 'pods') agent.names.synced(resource, uids, atMs)
    },
  }
}
