import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Identity } from '../../lib/aggregate/identity.ts'
import type { DnsBatch } from '../../lib/capture/dns-source.ts'
import { DnsWatch } from '../../lib/enrich/dns-watch.ts'
import { web } from '../aggregate/small-cluster.ts'
import { capturedLog } from '../support/captured-log.ts'
import { answer, type DnsRow, dnsBatch, query, WALL_MINUS_MONOTONIC_MS } from '../support/dns.ts'

const unnamed: Identity = { class: 'unknown', name: 'unknown', ports: new Set() }

function watch() {
  const owners = new Map<number, Identity>([[1, web]])
  const { log, messages } = capturedLog()
  const clock = { ms: 1000 + WALL_MINUS_MONOTONIC_MS, nowMs: () => clock.ms, monotonicMs: () => clock.ms }
  let batch: () => DnsBatch = () => dnsBatch([])
  const watching = new DnsWatch({
    source: { read: async () => batch() },
    owner: interfaceSlot => {
      const identity = owners.get(interfaceSlot)
      return identity && { identity, device: 'eth0' }
    },
    log,
    clock,
  })
  return {
    watching,
    owners,
    clock,
    messages,
    hear: (...rows: DnsRow[]) => {
      batch = () => dnsBatch(rows)
      return watching.drain()
    },
    fail: () => {
      batch = () => {
        throw new Error('read dns_messages: gone')
      }
      return watching.drain()
    },
    ends: () => watching.table.lookups.map(({ end }) => end.ownerName ?? end.name),
  }
}

describe('the watch over DNS', () => {
  it('tells lookups under the owner of the pod that asked', async () => {
    const { hear, ends, watching } = watch()
    await hear(query(), answer())
    assert.deepEqual([ends(), watching.table.ended, watching.open], [['web'], 1, 0])
  })

  it('waits for a name that is not known yet', async () => {
    const { hear, ends, owners, watching, clock } = watch()
    owners.set(1, unnamed)
    await hear(query(), answer())
    assert.deepEqual([ends(), watching.open], [[], 1])
    owners.set(1, web)
    clock.ms += 4000
    await hear()
    assert.deepEqual([ends(), watching.open], [['web'], 0])
  })

  it('does not wait for it for long, nor when the pod is gone', async () => {
    const { hear, ends, owners, watching, clock } = watch()
    owners.delete(1)
    await hear(query(), answer(), query({}, { interfaceSlot: 2 }), answer({}, { interfaceSlot: 2 }), query({ id: 9 }))
    watching.ended(2)
    assert.deepEqual([ends(), watching.open], [['unknown'], 2])
    clock.ms += 5001
    await hear()
    // The other lookup had no answer, and waits for the name from then on.
    assert.deepEqual([watching.table.ended, watching.open], [2, 1])
    clock.ms += 5001
    await hear()
    assert.deepEqual([ends(), watching.table.ended, watching.open], [['unknown', 'unknown'], 3, 0])
  })

  it('leaves out who is out of scope', async () => {
    const { hear, ends, owners, watching } = watch()
    owners.set(1, { ...web, outOfScope: true })
    await hear(query(), answer())
    assert.deepEqual([ends(), watching.table.excluded, watching.open], [[], 1, 0])
  })

  it('goes on after a reading that failed, and says so', async () => {
    const { hear, fail, ends, messages } = watch()
    await fail()
    await hear(query(), answer())
    assert.deepEqual(ends(), ['web'])
    assert.deepEqual(messages, ['read dns_messages: gone'])
  })
})
