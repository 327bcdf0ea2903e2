// When a flow's names are asked for: at its start, and again when something has changed.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { edgesOf } from '../aggregate/small-cluster.ts'
import { clusterPod, HEARD_MS, ofDeployment } from '../support/cluster-objects.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { agent, namesOf, pods, tellAll } from './two-nodes.ts'

const COUNTED = { slot: 1, fromPodPackets: 1, fromPodBytes: 100 }

/** An agent that counts how often it asks for a name. */
function asking() {
  const names = namesOf()
  tellAll(names)
  let asked = 0
  const remote = names.remote.bind(names)
  names.remote = (...question) => {
    asked++
    return remote(...question)
  }
  const { table, edges } = agent(names, [pods.web.uid])
  let sequence = 0
  const drain = (parts: Parameters<typeof flowBatch>[0] = {}) => {
    const before = asked
    sequence++
    table.apply(flowBatch({ sequence, readAtMs: HEARD_MS + sequence * 1000, ...parts }))
    return asked - before
  }
  return { names, edges, drain }
}

describe('names of flows', () => {
  it('are asked for when a flow starts, and never while nothing changes', () => {
    const { drain } = asking()
    const started = [{ slot: 1, remote: '10.2.0.13', remotePort: 50_051, startMs: HEARD_MS + 500 }]
    assert.equal(drain({ started, flows: [COUNTED] }), 1)
    for (let i = 0; i < 5; i++) assert.equal(drain({ flows: [COUNTED] }), 0)
  })

  it('are asked for once in a drain, however much has changed', () => {
    const { names, drain } = asking()
    const started = [1, 2, 3].map(slot => ({ slot, remote: '10.2.0.13', startMs: HEARD_MS + 500 }))
    drain({ started, flows: [COUNTED] })
    for (let i = 0; i < 100; i++)
      names.changed('pods', clusterPod({ name: `p${i}`, addresses: [`10.2.0.${100 + i}`] }), HEARD_MS + 1000)
    assert.equal(drain({ flows: [COUNTED] }), 3)
    assert.equal(drain({ flows: [COUNTED] }), 0)
  })

  it('follow what becomes known, and what was counted before stays where it was', () => {
    const { names, edges, drain } = asking()
    const started = [{ slot: 1, remote: '10.2.0.77', remotePort: 80, startMs: HEARD_MS + 500 }]
    drain({ started, flows: [COUNTED] })
    const late = { name: 'late-1', node: 'n2', addresses: ['10.2.0.77'], createdMs: HEARD_MS, ...ofDeployment('late') }
    names.changed('pods', clusterPod(late), HEARD_MS + 1500)
    drain({ flows: [COUNTED] })
    assert.deepEqual(edgesOf(edges), {
      'web>node:80/tcp client': [100, 1, 0, 0, 0],
      'web>late:80/tcp client': [100, 1, 0, 0, 0],
    })
  })
})
