import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { flowBatch } from '../support/flow-batch.ts'
import { attachment, db, edgesOf, podIdentity, smallCluster } from './small-cluster.ts'

describe('flow table and names', () => {
  it('moves live flows to other edges when names change, and past counts stay', () => {
    const { table, edges, names } = smallCluster()
    const row = { fromPodPackets: 1, fromPodBytes: 60 }
    table.apply(flowBatch({ started: [{ remote: '10.0.9.9' }], flows: [row] }))
    names.addresses.set('10.0.9.9', db)
    table.apply(flowBatch({ sequence: 2, flows: [row] }))
    names.version++
    table.apply(flowBatch({ sequence: 3, flows: [row] }))
    assert.deepEqual(edgesOf(edges), {
      'web>external:8080/tcp client': [120, 2, 0, 0, 0],
      'web>db:8080/tcp client': [60, 1, 0, 0, 0],
    })
  })

  it('counts a flow as named as soon as both ends are', () => {
    const { table, names } = smallCluster()
    table.apply(flowBatch({ started: [{ remote: '10.0.9.9' }], flows: [{ fromPodPackets: 1 }] }))
    assert.deepEqual(table.flows, { count: 1, named: 0 })
    names.addresses.set('10.0.9.9', db)
    names.version++
    table.apply(flowBatch({ sequence: 2, readAtMs: 1_234_000 }))
    assert.deepEqual(table.flows, { count: 1, named: 1 })
    assert.equal(table.firstNamedAtMs, 1_234_000)
  })

  it('puts an interface without owner under unknown', () => {
    const { table, edges, ledger } = smallCluster()
    ledger.attached(attachment(3))
    table.apply(flowBatch({ started: [{ interfaceSlot: 3 }], flows: [{ fromPodPackets: 1 }] }))
    assert.deepEqual(Object.keys(edgesOf(edges)), ['unknown>api:8080/tcp client'])
  })

  it('follows an owner that becomes known later than the names', () => {
    const { table, edges, owners, names, ledger } = smallCluster()
    const row = { fromPodPackets: 1, fromPodBytes: 60 }
    names.version++
    table.apply(flowBatch({ started: [{}], flows: [row] }))
    owners.set(1, { identity: podIdentity('shop', 'web-1', 'renamed'), device: 'eth0' })
    table.apply(flowBatch({ sequence: 2, flows: [row] }))
    assert.deepEqual(edgesOf(edges), {
      'web>api:8080/tcp client': [60, 1, 0, 0, 0],
      'renamed>api:8080/tcp client': [60, 1, 0, 0, 0],
    })
    assert.equal(ledger.account(1).owner?.identity.workload?.name, 'renamed')
  })
})
