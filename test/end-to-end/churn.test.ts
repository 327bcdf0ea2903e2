// Connections by the ten thousand that come and go, and an agent that starts again with another table.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { CountedNode } from '../support/counted-node.ts'
import { KernelObject, putProgram, testRun } from '../support/kernel.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { tcp } from '../support/packet.ts'
import { PausedSender } from '../support/paused-sender.ts'
import { comeToRest } from '../support/rest.ts'
import { skip } from '../support/skip.ts'

/** Of test/ebpf/connections.bpf.c. */
const PACKETS_PER_CONNECTION = 6
const PER_SECOND = 20_000
const SECONDS = 4
/** In each of these parts of a second its share of them comes at once. */
const PARTS = 4

describe('connections that come and go', function () {
  this.timeout('2m')
  let namespaces: Namespaces
  let a: TestNamespace
  let b: TestNamespace
  let node: CountedNode | undefined
  let built: KernelObject | undefined

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  beforeEach(async () => {
    namespaces = new Namespaces()
    const pair = await namespaces.createPair()
    a = pair.a
    b = pair.b
  })

  afterEach(async () => {
    built?.close()
    await node?.close()
    built = node = undefined
    await namespaces.remove()
  })

  async function open(flowLimit: number): Promise<CountedNode> {
    node = await CountedNode.open([a, b], { flowLimit, retire: RETIRE_TIMES, auditEvery: 2 })
    return node
  }

  /** Each time so many connections, from the first SYN to the last ACK, through a's dispatchers. */
  async function builtConnections(node: CountedNode): Promise<(count: number) => void> {
    built = new KernelObject('connections')
    const { fromPod, toPod } = await node.dispatchers(a)
    putProgram(built.maps.under_test!, 0, fromPod)
    putProgram(built.maps.under_test!, 1, toPod)
    const program = built.programs.connections!
    const segment = tcp({ from: '10.5.0.2', to: '10.6.0.1', sourcePort: 1, destinationPort: 443 })
    return count => {
      assert.equal(testRun(program, segment, { repeat: count * PACKETS_PER_CONNECTION }).returned, -1)
    }
  }

  for (const { name, flowLimit } of [
    { name: 'with a slot each', flowLimit: 131_072 },
    { name: 'in the default table, which has no room for all of them', flowLimit: 32_768 },
  ])
    it(`are counted to the packet at 20,000 a second: ${name}`, async () => {
      const node = await open(flowLimit)
      const connect = await builtConnections(node)
      const begin = performance.now()
      for (let part = 0; part < SECONDS * PARTS; part++) {
        connect(PER_SECOND / PARTS)
        await node.drain()
        await sleep(Math.max(0, begin + (1000 * (part + 1)) / PARTS - performance.now()))
      }
      const perSecond = (1000 * PER_SECOND * SECONDS) / (performance.now() - begin)
      await node.drainDuring(sleep(RETIRE_TIMES.closedMs + 500))
      const { liveFlows, faults } = await node.drain()

      const { fromPod, toPod, flows } = node.of(a)
      const connections = PER_SECOND * SECONDS
      process.stdout.write(`      ${Math.round(perSecond)} a second, ${flows} of ${connections} with a slot\n`)
      assert.deepEqual(node.books.gaps(), [])
      assert.equal(fromPod.seen.packets + toPod.seen.packets, connections * PACKETS_PER_CONNECTION)
      assert.deepEqual([node.books.opened, node.books.closed], [flows, flows])
      assert.equal(fromPod.flow.packets + toPod.flow.packets, flows * PACKETS_PER_CONNECTION)
      assert.equal(faults.connectionsMerged, 0)
      if (flowLimit > connections) return assert.deepEqual([flows, liveFlows], [connections, 0])
      assert.ok(fromPod.collapsed.packets > 0 && flows > flowLimit / 2, `${fromPod.collapsed.packets} collapsed`)
    })

  it('are counted to the packet when sockets make them, as fast as they can', async () => {
    const node = await open(131_072)
    await b.serve('tcp-serve', '--port', 5002)
    const to = ['--to', b.addresses.v4, '--port', 5002]
    const begin = performance.now()
    const { connections } = await node.drainDuring(
      a.traffic('tcp-request', ...to, '--connections', 'each', '--parallel', 64, '--count', 8000),
    )
    const perSecond = (1000 * connections!) / (performance.now() - begin)
    process.stdout.write(`      ${Math.round(perSecond)} a second\n`)
    await comeToRest([a.name, b.name])
    await node.drain()
    assert.deepEqual(node.books.gaps(), [])
    const opened = (await a.protocols()).TcpActiveOpens!
    assert.equal(node.books.opened, 2 * opened)
    for (const namespace of [a, b]) {
      const { fromPod, toPod, flows } = node.of(namespace)
      const device = await namespace.device()
      assert.deepEqual([fromPod.skbs, toPod.skbs], [device.transmitPackets, device.receivePackets])
      assert.equal(flows, opened)
    }
  })

  it('lose nothing when the agent starts again with a larger table, and with a smaller one', async () => {
    await b.serve('udp-serve', '--port', 9000, '--answer')
    await b.serve('tcp-serve', '--port', 5002)
    const senders = await Promise.all([
      PausedSender.start(a, 0, ['udp-send', '--to', b.addresses.v4, '--port', 9000, '--tuples', 200, '--rate', 4000]),
      PausedSender.start(a, 1, ['tcp-request', '--to', b.addresses.v4, '--port', 5002, '--parallel', 4, '--rate', 500]),
    ])
    await comeToRest([a.name, b.name])
    // Before the first start nobody counts: what was sent until then is in no sum.
    const before = await Promise.all([a.device(), b.device()])
    const opensBefore = (await a.protocols()).TcpActiveOpens!
    const sums = { seen: 0, placed: 0, opened: 0 }
    for (const flowLimit of [1024, 4096, 32]) {
      const node = await open(flowLimit)
      await node.drainDuring(Promise.all(senders.map(sender => sender.work(1000))))
      await comeToRest([a.name, b.name])
      await node.drain()
      await node.close()
      assert.deepEqual(node.books.gaps(), [])
      const { skbs, flow, collapsed, overflow } = node.books.sum()
      sums.seen += skbs
      sums.placed += flow.packets + collapsed.packets + overflow.packets
      sums.opened += node.books.opened
    }
    const after = await Promise.all([a.device(), b.device()])
    const moved = after.map((device, i) => {
      const { transmitPackets, receivePackets } = before[i]!
      return device.transmitPackets - transmitPackets + device.receivePackets - receivePackets
    })
    const opens = (await a.protocols()).TcpActiveOpens! - opensBefore
    await Promise.all(senders.map(sender => sender.stop()))
    assert.equal(sums.seen, moved[0]! + moved[1]!)
    assert.equal(sums.placed, sums.seen)
    assert.equal(sums.opened, 2 * opens)
  })
})
