import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { InterfaceLedger } from '../../lib/aggregate/interface-ledger.ts'
import type { CounterKind } from '../../lib/capture/flow-source.ts'
import { type DirectionRow, flowBatch, type InterfaceRow } from '../support/flow-batch.ts'
import { attachment } from './small-cluster.ts'

function ledgerWith(kind: CounterKind = 'skb') {
  const ledger = new InterfaceLedger(() => undefined)
  ledger.attached(attachment(1, { transmitCounter: kind, receiveCounter: kind }))
  const apply = (...interfaces: InterfaceRow[]) =>
    ledger.apply(flowBatch({ interfaces }).interfaces, 1_002_000, () => {})
  return { ledger, apply }
}

function unexplained(kind: CounterKind, fromPod: DirectionRow): number {
  const { ledger, apply } = ledgerWith(kind)
  apply({ fromPod })
  return ledger.account(1).transmit.deviceFigures().unexplained
}

describe('interface ledger', () => {
  it('compares skbs with a device that counts skbs', () => {
    const row = { skbs: 100, seenPackets: 900, devicePackets: 112, unobservedSkbs: 15, overseenSkbs: 3 }
    assert.equal(unexplained('skb', row), 0)
    assert.equal(unexplained('skb', { ...row, devicePackets: 120 }), 8)
    assert.equal(unexplained('skb', { ...row, devicePackets: 110 }), -2)
  })

  it('compares wire packets with a device that counts wire packets', () => {
    assert.equal(unexplained('wire', { skbs: 100, seenPackets: 900, devicePackets: 900 }), 0)
    assert.equal(unexplained('wire', { skbs: 100, seenPackets: 900, devicePackets: 903, unobservedSkbs: 1 }), 2)
  })

  it('claims only bounds for a device of unknown kind', () => {
    const row = { skbs: 100, seenPackets: 900 }
    for (const devicePackets of [100, 500, 900]) assert.equal(unexplained('unknown', { ...row, devicePackets }), 0)
    assert.equal(unexplained('unknown', { ...row, devicePackets: 97 }), -3)
    assert.equal(unexplained('unknown', { ...row, devicePackets: 905 }), 5)
    assert.equal(unexplained('unknown', { ...row, devicePackets: 905, unobservedSkbs: 5 }), 0)
  })

  it('says that an agent that sees nothing leaves everything unexplained', () => {
    assert.equal(unexplained('skb', { devicePackets: 1000 }), 1000)
  })

  it('keeps the comparison of the last snapshot that had the device', () => {
    const { ledger, apply } = ledgerWith()
    apply({ fromPod: { skbs: 10, seenPackets: 10, devicePackets: 10 } })
    apply({ devicePresent: false, ended: true, fromPod: { skbs: 14, seenPackets: 14, devicePackets: 10 } })
    const { skbs, packets } = ledger.figures('transmit')
    assert.deepEqual(skbs, { device: 10, seen: 10, unobserved: 0, overseen: 0, unexplained: 0 })
    assert.equal(packets.seen, 14)
  })

  it('counts unobserved and positive unexplained skbs together and never lets them fall', () => {
    const { ledger, apply } = ledgerWith()
    apply({ toPod: { skbs: 10, devicePackets: 14, unobservedSkbs: 1 } })
    assert.equal(ledger.account(1).receive.unobservedSkbs, 3)
    apply({ toPod: { skbs: 13, devicePackets: 14, unobservedSkbs: 1 } })
    assert.equal(ledger.account(1).receive.unobservedSkbs, 3)
    apply({ toPod: { skbs: 13, devicePackets: 19, unobservedSkbs: 6 } })
    assert.equal(ledger.account(1).receive.unobservedSkbs, 5)
  })

  it('takes what the device had counted before us for no packet that we missed', () => {
    const { ledger, apply } = ledgerWith()
    apply({ toPod: { skbs: 0, devicePackets: 500, unobservedSkbs: 500 } })
    assert.equal(ledger.account(1).receive.unobservedSkbs, 0)
    assert.equal(ledger.account(1).receive.deviceFigures().unobserved, 500)
  })

  it('keeps the totals of an interface that is gone when another gets its slot', () => {
    const { ledger, apply } = ledgerWith()
    const fromPod = {
      skbs: 5,
      devicePackets: 5,
      seenPackets: 7,
      seenBytes: 700,
      otherPackets: 1,
      otherBytes: 42,
      overflowPackets: 6,
      overflowBytes: 658,
    }
    apply({ ended: true, fromPod })
    ledger.attached(attachment(1, { transmitCounter: 'wire', receiveCounter: 'wire' }))
    apply({
      fromPod: { skbs: 1, devicePackets: 2, seenPackets: 2, seenBytes: 200, filteredPackets: 2, filteredBytes: 200 },
    })
    const { skbs, packets, bytes } = ledger.figures('transmit')
    assert.deepEqual(skbs, { device: 7, seen: 7, unobserved: 0, overseen: 0, unexplained: 0 })
    assert.deepEqual(packets, { seen: 9, flow: 0, collapsed: 0, other: 1, overflow: 6, filtered: 2 })
    assert.deepEqual(bytes, { seen: 900, flow: 0, collapsed: 0, other: 42, overflow: 658, filtered: 200 })
    assert.equal(ledger.deviceFigures('skb', 'transmit').device, 5)
    assert.equal(ledger.deviceFigures('wire', 'transmit').device, 2)
  })

  it('remembers that an interface that is gone had a gap, also when another one hides it in the sum', () => {
    const { ledger, apply } = ledgerWith()
    apply({ ended: true, fromPod: { skbs: 5, devicePackets: 7 } })
    ledger.attached(attachment(1))
    apply({ ended: true, fromPod: { skbs: 7, devicePackets: 5 } })
    assert.equal(ledger.figures('transmit').skbs.unexplained, 0)
    assert.equal(ledger.closedWithGaps, 2)
  })

  it('reads rows of an interface whose attach has not returned yet', () => {
    const ledger = new InterfaceLedger(() => undefined)
    ledger.apply(
      flowBatch({ interfaces: [{ interfaceSlot: 4, fromPod: { skbs: 2, devicePackets: 2 } }] }).interfaces,
      0,
      () => {},
    )
    const queue = ledger.accountQueue()
    assert.equal(queue.take().length, 0)
    ledger.attached(attachment(4))
    assert.deepEqual(queue.take(), [ledger.account(4)])
    assert.equal(ledger.deviceFigures('skb', 'transmit').device, 2)
  })

  it('gives each reader every account once, also one that came and went in between', () => {
    const { ledger, apply } = ledgerWith()
    const queue = ledger.accountQueue()
    assert.equal(queue.take().length, 1)
    ledger.attached(attachment(2))
    apply({ interfaceSlot: 2, ended: true })
    ledger.attached(attachment(2))
    assert.deepEqual(
      queue.take().map(account => account.endedAtMs),
      [1_002_000, undefined],
    )
    assert.deepEqual(queue.take(), [])
  })
})
