import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { zeroFigures } from '../../lib/aggregate/figures.ts'
import { FlowFlag, Opener } from '../../lib/capture/flow-batch.ts'
import { buildReceipt } from '../../lib/signals/receipt.ts'
import { receiptText } from '../../lib/signals/receipt-text.ts'
import { startedAtMs } from '../aggregate/small-cluster.ts'
import { type BatchParts, flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'

const program = { runs: 4, nanoseconds: 402 }

/** web sends 3 packets to api and gets 2; of interface 2 nothing moves but one ARP packet. */
function balancedTraffic(): BatchParts {
  return {
    readAtMs: startedAtMs + 2500,
    started: [{}],
    flows: [{ fromPodPackets: 3, fromPodBytes: 4542, toPodPackets: 2, toPodBytes: 132, opened: 1 }],
    interfaces: [
      {
        fromPod: { skbs: 1, devicePackets: 1, seenPackets: 3, seenBytes: 4542 },
        toPod: { skbs: 2, devicePackets: 2, seenPackets: 2, seenBytes: 132 },
      },
      {
        interfaceSlot: 2,
        fromPod: {
          skbs: 1,
          devicePackets: 1,
          ...{ seenPackets: 1, seenBytes: 42, otherPackets: 1, otherBytes: 42 },
          ...{ classPackets: { arp: 1 }, classBytes: { arp: 42 } },
        },
      },
    ],
  }
}

async function receiptOf(...batches: BatchParts[]) {
  const { table, books, collect, outlet } = observedCluster()
  for (const batch of batches) table.apply(flowBatch(batch))
  outlet.acknowledged(await collect())
  return buildReceipt({ ...books, table, startedAtMs, program })
}

describe('receipt', () => {
  it('has two rows for each interface, a total, and what was delivered', async () => {
    const receipt = await receiptOf(balancedTraffic())
    const none = { seen: 0, flow: 0, collapsed: 0, other: 0, overflow: 0, filtered: 0 }
    const { classes } = zeroFigures()
    const arp = { packets: { ...classes.packets, arp: 1 }, bytes: { ...classes.bytes, arp: 42 } }
    const noSkbs = { device: 0, seen: 0, unobserved: 0, overseen: 0, unexplained: 0 }
    const web = { pod: 'shop/web-1', interface: 'eth0' }
    const api = { pod: 'shop/api-1', interface: 'eth0' }
    assert.deepEqual(receipt, {
      schema: 'podweir.receipt/1',
      balanced: true,
      interfaces: [
        {
          ...web,
          direction: 'transmit',
          skbs: { ...noSkbs, device: 1, seen: 1 },
          packets: { ...none, seen: 3, flow: 3 },
          bytes: { ...none, seen: 4542, flow: 4542 },
          classes,
        },
        {
          ...web,
          direction: 'receive',
          skbs: { ...noSkbs, device: 2, seen: 2 },
          packets: { ...none, seen: 2, flow: 2 },
          bytes: { ...none, seen: 132, flow: 132 },
          classes,
        },
        {
          ...api,
          direction: 'transmit',
          skbs: { ...noSkbs, device: 1, seen: 1 },
          packets: { ...none, seen: 1, other: 1 },
          bytes: { ...none, seen: 42, other: 42 },
          classes: arp,
        },
        { ...api, direction: 'receive', skbs: noSkbs, packets: none, bytes: none, classes },
      ],
      total: {
        skbs: { ...noSkbs, device: 4, seen: 4 },
        packets: { ...none, seen: 6, flow: 5, other: 1 },
        bytes: { ...none, seen: 4716, flow: 4674, other: 42 },
        classes: arp,
      },
      delivery: { drained: 5, exported: 5, otherEnd: 0, excluded: 0, queued: 0, lost: 0, restart: 0 },
      deliveryBytes: { drained: 4674, exported: 4674, otherEnd: 0, excluded: 0, queued: 0, lost: 0, restart: 0 },
      flows: { count: 1, named: 1 },
      firstNamedFlowSeconds: 2.5,
      program: { nanosecondsPerPacket: 100.5, runs: 4 },
    })
  })

  it('does not balance before everything was acknowledged', () => {
    const { table, books } = observedCluster()
    table.apply(flowBatch(balancedTraffic()))
    const receipt = buildReceipt({ ...books, table, startedAtMs, program })
    assert.equal(receipt.balanced, false)
    assert.equal(receipt.delivery.queued, 5)
  })

  it('does not balance when nothing was seen at all', async () => {
    assert.equal((await receiptOf({})).balanced, false)
  })

  it('does not balance when a device counted what we did not see', async () => {
    const traffic = balancedTraffic()
    traffic.interfaces![1]!.toPod = { devicePackets: 500 }
    const receipt = await receiptOf(traffic)
    assert.equal(receipt.balanced, false)
    assert.equal(receipt.total.skbs.unexplained, 500)
  })

  for (const [term, row] of Object.entries({
    unobserved: { devicePackets: 1, unobservedSkbs: 1 },
    overseen: { skbs: 1, overseenSkbs: 1, seenPackets: 1, otherPackets: 1, classPackets: { arp: 1 } },
  }))
    it(`does not balance when something is ${term}, although the equation holds`, async () => {
      const traffic = balancedTraffic()
      traffic.interfaces![1]!.toPod = row
      const receipt = await receiptOf(traffic)
      assert.equal(receipt.total.skbs.unexplained, 0)
      assert.equal(receipt.balanced, false)
    })

  it('does not balance when gaps of two interfaces cancel out', async () => {
    const traffic = balancedTraffic()
    traffic.interfaces![0]!.toPod!.devicePackets = 1
    traffic.interfaces![1]!.toPod = { devicePackets: 1 }
    const receipt = await receiptOf(traffic)
    assert.equal(receipt.total.skbs.unexplained, 0)
    assert.equal(receipt.balanced, false)
  })

  it('does not balance when a packet that was seen is in no stage', async () => {
    const traffic = balancedTraffic()
    traffic.interfaces![0]!.fromPod!.seenPackets = 4
    assert.equal((await receiptOf(traffic)).balanced, false)
  })

  it('does not balance when a packet that is in no flow has no class', async () => {
    const traffic = balancedTraffic()
    traffic.interfaces![1]!.fromPod!.classPackets = { fragment: 1 }
    assert.equal((await receiptOf(traffic)).balanced, false)
  })

  it('balances with flows whose port was left out', async () => {
    const traffic = balancedTraffic()
    traffic.started![0] = { localPort: 0, flags: FlowFlag.collapsed }
    const receipt = await receiptOf(traffic)
    assert.deepEqual([receipt.balanced, receipt.total.packets.flow, receipt.total.packets.collapsed], [true, 0, 5])
    assert.deepEqual([receipt.delivery.drained, receipt.delivery.exported], [5, 5])
  })

  it('does not balance when rows belong to no flow', async () => {
    const traffic = balancedTraffic()
    const [web] = traffic.interfaces!
    const later = [{ ...web!, fromPod: { ...web!.fromPod, skbs: 2, devicePackets: 2, seenPackets: 4 } }]
    const receipt = await receiptOf(traffic, {
      sequence: 2,
      flows: [{ generation: 9, fromPodPackets: 1 }],
      interfaces: later,
    })
    assert.equal(receipt.delivery.lost, 1)
    assert.equal(receipt.balanced, false)
  })

  it('balances with packets that the other end reports and with a full flow table', async () => {
    const traffic = balancedTraffic()
    traffic.started!.push({ slot: 8, opener: Opener.remote, localPort: 80, remotePort: 40_000 })
    traffic.flows!.push({ slot: 8, toPodPackets: 1, toPodBytes: 60 })
    const [web] = traffic.interfaces!
    web!.toPod = { skbs: 5, devicePackets: 5, seenPackets: 5, seenBytes: 492, overflowPackets: 2, overflowBytes: 300 }
    const receipt = await receiptOf(traffic)
    assert.equal(receipt.balanced, true)
    assert.equal(receipt.delivery.otherEnd, 1)
  })

  it('still counts in the total what an interface that is gone had counted', async () => {
    const traffic = balancedTraffic()
    for (const row of traffic.interfaces!) row.ended = true
    const receipt = await receiptOf(traffic)
    assert.equal(receipt.interfaces.length, 0)
    assert.equal(receipt.total.packets.seen, 6)
    assert.equal(receipt.balanced, true)
  })

  it('does not balance when gaps of interfaces that are gone cancel out', async () => {
    const traffic = balancedTraffic()
    traffic.interfaces![0]!.toPod!.devicePackets = 1
    traffic.interfaces![1]!.toPod = { devicePackets: 1 }
    for (const row of traffic.interfaces!) row.ended = true
    const receipt = await receiptOf(traffic)
    assert.equal(receipt.total.skbs.unexplained, 0)
    assert.equal(receipt.balanced, false)
  })

  it('says null when no flow had two names', async () => {
    const traffic = balancedTraffic()
    traffic.started![0]!.remote = '8.8.8.8'
    const receipt = await receiptOf(traffic)
    assert.equal(receipt.firstNamedFlowSeconds, null)
    assert.deepEqual(receipt.flows, { count: 1, named: 0 })
  })
})

describe('receipt text', () => {
  it('shows three blocks with a mark at each line', async () => {
    const text = receiptText(await receiptOf(balancedTraffic()))
    assert.equal(
      text,
      `1  device + overseen = seen + unobserved + unexplained   (skbs)
   interface        direction  device  overseen  seen  unobserved  unexplained
   shop/web-1 eth0  transmit        1         0     1           0            0  ✔
   shop/web-1 eth0  receive         2         0     2           0            0  ✔
   shop/api-1 eth0  transmit        1         0     1           0            0  ✔
   shop/api-1 eth0  receive         0         0     0           0            0  ✔
   total                            4         0     4           0            0  ✔

2  seen = flow + collapsed + other + overflow + filtered
   interface        direction  unit      seen   flow  collapsed  other  overflow  filtered
   shop/web-1 eth0  transmit   packets      3      3          0      0         0         0  ✔
   shop/web-1 eth0  transmit   bytes    4,542  4,542          0      0         0         0  ✔
   shop/web-1 eth0  receive    packets      2      2          0      0         0         0  ✔
   shop/web-1 eth0  receive    bytes      132    132          0      0         0         0  ✔
   shop/api-1 eth0  transmit   packets      1      0          0      1         0         0  ✔
   shop/api-1 eth0  transmit   bytes       42      0          0     42         0         0  ✔
   shop/api-1 eth0  receive    packets      0      0          0      0         0         0  ✔
   shop/api-1 eth0  receive    bytes        0      0          0      0         0         0  ✔
   total                       packets      6      5          0      1         0         0  ✔
   total                       bytes    4,716  4,674          0     42         0         0  ✔
   of them arp 1

3  drained = exported + otherEnd + excluded + queued + lost + restart
            drained  exported  otherEnd  excluded  queued  lost  restart
   packets        5         5         0         0       0     0        0  ✔
   bytes      4,674     4,674         0         0       0     0        0  ✔

1 flows, 1 with both ends named, first named after 2.5 s
100.5 ns a program run, 4 runs, one per skb (caches are cold on a machine that idles: docs/performance.md)
✔ every packet is accounted for
`,
    )
  })

  it('marks the lines that do not hold', async () => {
    const traffic = balancedTraffic()
    traffic.interfaces![1]!.toPod = { devicePackets: 1_234_567 }
    const text = receiptText(await receiptOf(traffic))
    assert.match(text, /shop\/api-1 eth0 {2}receive +1,234,567 +0 +0 +0 +1,234,567 {2}✖/)
    assert.match(text, /✖ the books do not balance/)
  })
})
