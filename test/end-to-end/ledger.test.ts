import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { ipBatch } from '../../lib/demo/iproute.ts'
import type { StatusRecord } from '../../lib/signals/flow-record.ts'
import type { NodeTotals } from '../../lib/signals/ledger-totals.ts'
import { Agent } from '../support/agent.ts'
import type { DeviceCounters } from '../support/counters.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'
import { allAfter } from '../support/retire-times.ts'
import { skip } from '../support/skip.ts'
import { Tally } from '../support/tally.ts'

const trafficProgram = fileURLToPath(new URL('../../build/Release/podweir-traffic', import.meta.url))

/** The three equations as docs/ledger.md has them: what each lacks. */
function gaps({ skbs, packets, bytes, delivery }: NodeTotals): Record<string, number> {
  const found: Record<string, number> = {
    device: skbs.device + skbs.overseen - skbs.seen - skbs.unobserved - skbs.unexplained,
    unexplained: skbs.unexplained,
  }
  for (const [unit, wire] of Object.entries({ packets, bytes }))
    found[`kernel ${unit}`] = wire.seen - wire.flow - wire.collapsed - wire.other - wire.overflow - wire.filtered
  for (const [unit, of] of Object.entries(delivery))
    found[`delivery ${unit}`] = of.drained - of.exported - of.otherEnd - of.excluded - of.queued - of.lost - of.restart
  return Object.fromEntries(Object.entries(found).filter(([, gap]) => gap !== 0))
}

/** What only ever grows: everything but the two amounts that are a state. */
function monotonic({ skbs, packets, bytes, delivery }: NodeTotals): Map<string, number> {
  const blocks = { skbs, packets, bytes, 'delivery packets': delivery.packets, 'delivery bytes': delivery.bytes }
  const all = Object.entries(blocks).flatMap(([block, terms]) =>
    Object.entries(terms).map(([term, value]): [string, number] => [`${block} ${term}`, value]),
  )
  return new Map(all.filter(([name]) => !/unexplained|queued/.test(name)))
}

class Falls {
  readonly found: string[] = []
  #before = new Map<string, number>()

  look(ledger: NodeTotals): void {
    const now = monotonic(ledger)
    for (const [name, value] of now) {
      const before = this.#before.get(name) ?? 0
      if (value < before) this.found.push(`${name} fell from ${before} to ${value}`)
    }
    this.#before = now
  }
}

function bothWays(devices: readonly DeviceCounters[], unit: 'Packets' | 'Bytes'): number {
  return devices.reduce((sum, device) => sum + device[`transmit${unit}`] + device[`receive${unit}`], 0)
}

function delivered({ ledger }: StatusRecord): boolean {
  return ledger.delivery.packets.queued === 0 && ledger.delivery.bytes.queued === 0
}

/** Datagrams from one CPU, over as many tuples at one destination port. */
function datagramsOn(cpu: number, from: TestNamespace, to: TestNamespace, port: number, args: (string | number)[]) {
  const traffic = [trafficProgram, 'udp-send', '--to', to.addresses.v4, '--port', port, ...args].map(String)
  return from.run('taskset', '-c', String(cpu), ...traffic)
}

describe('the ledger’s equations', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let folder = ''
  let agent: Agent | undefined
  let source: NativeProbeSource | undefined

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  beforeEach(() => {
    namespaces = new Namespaces()
    folder = mkdtempSync(join(tmpdir(), 'podweir-ledger-'))
  })

  afterEach(async () => {
    await agent?.stop()
    await source?.close()
    agent = source = undefined
    await namespaces.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('hold with a flow table that collapses flows and overflows, and their terms are what the kernel counted', async () => {
    const hop = await namespaces.wireHop({ ipv6: true })
    const pods = [hop.a, hop.b].map((namespace, i) => ({ name: 'ab'[i]!, namespace }))
    agent = await Agent.start({ folder, pods, receiver: { flow_limit: 64 } })
    await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
    await hop.b.serve('udp-serve', '--port', 9000, '--ports', 40, '--answer')
    const { v4, v6 } = hop.b.addresses
    const shape = ['--count', 4000, '--tuples', 400, '--ports', 40, '--rate', 8000, '--expect-answer'] as const
    await Promise.all([
      hop.a.traffic('tcp-bulk', '--to', v4, '--port', 5001, '--bytes', 20_000_000),
      hop.a.traffic('udp-send', '--to', v6, '--port', 9000, ...shape),
    ])
    await comeToRest([hop.a.name, hop.b.name, hop.middle.name])
    const wire = await hop.wire()
    // Each packet on the wire is a packet of both pods.
    const wirePackets = 2 * (wire.transmitPackets + wire.receivePackets)
    const wireBytes = 2 * (wire.transmitBytes + wire.receiveBytes)
    const { ledger } = await agent.until(
      'everything is drained and delivered',
      status => status.ledger.packets.seen >= wirePackets && delivered(status),
    )
    assert.deepEqual(gaps(ledger), {})
    const { flow, collapsed, overflow } = ledger.packets
    assert.ok(flow > 0 && collapsed > 0 && overflow > 0, JSON.stringify(ledger.packets))
    assert.deepEqual([ledger.packets.seen, ledger.bytes.seen], [wirePackets, wireBytes])
    const devices = [await hop.a.device(), await hop.b.device()]
    assert.equal(ledger.skbs.device, bothWays(devices, 'Packets'))
    assert.deepEqual([ledger.skbs.unobserved, ledger.skbs.overseen], [0, 0])
    assert.equal(ledger.delivery.packets.drained, flow + collapsed)
    assert.equal(ledger.delivery.bytes.drained, ledger.bytes.flow + ledger.bytes.collapsed)
    assert.ok(ledger.delivery.packets.otherEnd > 0)
  })

  it('lose nothing while flows retire under traffic on two CPUs', async () => {
    const { a, b } = await namespaces.createPair()
    // A tuple comes again 50 ms after its last datagram: about when the drain finds it idle and retires it.
    source = await NativeProbeSource.open({ flowLimit: 16_384, retire: allAfter(38), auditEvery: 1 })
    for (const { path } of [a, b]) await source.attach({ netns: path, device: 'eth0', place: 'pod', hook: 'auto' })
    await b.serve('udp-serve', '--port', 9000, '--answer', '--response', 64)
    await b.serve('udp-serve', '--port', 9001, '--answer', '--response', 64)
    const shape = ['--count', 60_000, '--tuples', 800, '--rate', 16_000, '--size', 64, '--expect-answer']
    const sending = Promise.all([0, 1].map(cpu => datagramsOn(cpu, a, b, 9000 + cpu, shape)))
    const tally = new Tally()
    let sent = false
    const ended = sending.finally(() => {
      sent = true
    })
    while (!sent) {
      tally.add(await source.drain())
      await sleep(10)
    }
    await ended
    await comeToRest([a.name, b.name])
    for (let i = 0; i < 3; i++) {
      await sleep(60)
      tally.add(await source.drain())
    }
    const devices = [await a.device(), await b.device()]
    assert.deepEqual(tally.gaps(), [])
    const ways = [...tally.interfaces.values()].flatMap(({ fromPod, toPod }) => [fromPod, toPod])
    const flowPackets = ways.reduce((sum, { flow }) => sum + flow.packets, 0)
    const flowBytes = ways.reduce((sum, { flow }) => sum + flow.bytes, 0)
    assert.deepEqual([flowPackets, flowBytes], [bothWays(devices, 'Packets'), bothWays(devices, 'Bytes')])
    assert.equal(devices[0]!.transmitPackets, 120_000)
    assert.deepEqual([tally.liveFlows, tally.started - tally.ended, tally.strays, tally.faults], [0, 0, 0, 0])
    // 1,600 tuples at two interfaces: the others are flows that had retired and came again.
    assert.ok(tally.started > 3 * 2 * 1600, `only ${tally.started} flows`)
  })

  it('hold to the packet for an interface that is detached while it has flows', async () => {
    const { a, b } = await namespaces.createPair()
    source = await NativeProbeSource.open({ flowLimit: 4096, retire: RETIRE_TIMES, auditEvery: 1 })
    const attach = (netns: string) => source!.attach({ netns, device: 'eth0', place: 'pod', hook: 'auto' })
    const [left, stays] = [await attach(a.path), await attach(b.path)]
    await b.serve('udp-serve', '--port', 9000, '--answer')
    const sending = datagramsOn(0, a, b, 9000, ['--count', 30_000, '--tuples', 300, '--rate', 20_000])
    const tally = new Tally()
    await sleep(500)
    tally.add(await source.drain())
    const early = tally.of(left.interfaceSlot).fromPod.seen.packets
    await source.detach(left.interfaceSlot)
    tally.add(await source.drain())
    const { fromPod, ended } = tally.of(left.interfaceSlot)
    assert.equal(ended, true)
    assert.deepEqual(
      tally.gaps().filter(line => line.startsWith(`interface ${left.interfaceSlot} `)),
      [],
    )
    assert.ok(early > 0 && fromPod.flow.packets > early, `${early} ${fromPod.flow.packets}`)
    const ways = JSON.stringify(tally.of(left.interfaceSlot))
    await sending
    await comeToRest([a.name, b.name])
    tally.add(await source.drain())
    assert.deepEqual(tally.gaps(), [])
    assert.equal(JSON.stringify(tally.of(left.interfaceSlot)), ways, 'counted after it was detached')
    assert.equal(tally.of(stays.interfaceSlot).toPod.flow.packets, (await b.device()).receivePackets)
  })

  it('hold, and no figure falls, when a pod’s namespace is deleted under traffic', async () => {
    const [a, b] = await namespaces.createPods(2)
    const pods = [a!, b!].map(({ namespace }, i) => ({ name: 'ab'[i]!, namespace }))
    agent = await Agent.start({ folder, pods })
    const sending = datagramsOn(0, a!.namespace, b!.namespace, 9000, [
      '--count',
      60_000,
      '--tuples',
      300,
      '--rate',
      10_000,
    ])
    await agent.until('traffic is counted', ({ ledger }) => ledger.packets.seen > 10_000)
    const falls = new Falls()
    falls.look((await agent.status()).ledger)
    // Nobody runs inside: the namespace goes with its name.
    await ipBatch([`netns del ${b!.namespace.name}`])
    let sent = false
    const ended = sending.finally(() => {
      sent = true
    })
    await agent.until('all is sent and the interface is gone', ({ interfaces, ledger }) => {
      falls.look(ledger)
      return sent && interfaces.filter(({ state }) => state === 'attached').length === 1
    })
    await ended
    await comeToRest([a!.namespace.name])
    assert.equal((await a!.namespace.device()).transmitPackets, 60_000)
    const { ledger } = await agent.until('everything is delivered', status => {
      falls.look(status.ledger)
      return delivered(status) && status.ledger.packets.seen === status.ledger.packets.flow
    })
    assert.deepEqual(falls.found, [])
    assert.deepEqual(gaps(ledger), {})
  })
})
