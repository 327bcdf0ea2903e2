import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { CaptureHealth } from '../../lib/capture/capture-health.ts'
import { capturedLog } from '../support/captured-log.ts'
import { type BatchParts, flowBatch } from '../support/flow-batch.ts'

function told(...batches: BatchParts[]) {
  const { log, messages } = capturedLog()
  const health = new CaptureHealth(log)
  for (const batch of batches) health.update(flowBatch(batch))
  return { health, messages }
}

const newest = 'interface 3 from the pod: 12 packets in flows, totals say 13 to 13'

describe('the capture’s health', () => {
  it('is not talked about while it is good', () => {
    assert.deepEqual(told({}, { audit: { audits: 3 } }).messages, [])
  })

  it('has a line for the first violation of each kind, and counts all', () => {
    const { health, messages } = told(
      { audit: { audits: 1, violations: 1, newest } },
      { audit: { audits: 2, violations: 2, newest: newest.replace('12', '11') } },
      { audit: { audits: 3, violations: 3, newest: newest.replace('packets', 'bytes') } },
    )
    assert.deepEqual(messages, [
      `self-audit: ${newest}: counts may be wrong, please report it`,
      `self-audit: ${newest.replace('packets', 'bytes')}: counts may be wrong, please report it`,
    ])
    assert.equal(health.audit.violations, 3)
  })

  it('has a line for the first fault of each kind', () => {
    const { health, messages } = told(
      { faults: { tailCallFailed: 2 } },
      { faults: { tailCallFailed: 5, connectionsMerged: 1 } },
    )
    assert.equal(messages.length, 2)
    assert.match(messages[0]!, /^capture: 2 skbs were not counted/)
    assert.match(messages[1]!, /^capture: 1 connections are counted with an earlier one/)
    assert.equal(health.faults.tailCallFailed, 5)
  })
})
