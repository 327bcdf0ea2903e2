import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { runCommand } from '../../lib/demo/command.ts'
import { runTraffic } from '../../lib/demo/traffic-program.ts'
import type { Receipt } from '../../lib/signals/receipt.ts'
import { Agent } from '../support/agent.ts'
import { existingLinks, type Held, heldBy, programsUsing } from '../support/bpf-objects.ts'
import { type Collector, prepareCollector, startCollector } from '../support/collector.ts'
import { DemoWitness } from '../support/demo-witness.ts'
import { differencesSince, snapshotHost } from '../support/host-snapshot.ts'
import { deleteFromMap, key32, tcxPrograms } from '../support/kernel.ts'
import { Namespaces } from '../support/namespaces.ts'
import { PodweirProcess } from '../support/podweir-process.ts'
import { comeToRest } from '../support/rest.ts'
import { skip } from '../support/skip.ts'

const skbTerms = ['device', 'seen', 'unobserved', 'overseen', 'unexplained']
const wireTerms = ['seen', 'flow', 'collapsed', 'other', 'overflow', 'filtered']
const deliveryTerms = ['drained', 'exported', 'otherEnd', 'excluded', 'queued', 'lost', 'restart']

function demo(seconds: number): PodweirProcess {
  return new PodweirProcess(['demo', '--headless', '--for', `${seconds}s`, '-o', 'json'])
}

/** The receipt is the one line of stdout. */
async function receiptOf(process: PodweirProcess): Promise<{ code: number | null; receipt: Receipt }> {
  const { code, stdout, stderr } = await process.ended
  assert.match(stdout, /^\{.*\}\n$/, stderr)
  return { code, receipt: JSON.parse(stdout) as Receipt }
}

function podAndDirection({ pod, direction }: { pod: string; direction: string }): string {
  return `${pod.split('/')[1]} ${direction}`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function assertHolds({ packets, bytes }: Pick<Receipt['total'], 'packets' | 'bytes'>): void {
  for (const { seen, flow, collapsed, other, overflow, filtered } of [packets, bytes])
    assert.equal(seen, flow + collapsed + other + overflow + filtered)
}

describe('the receipt', function () {
  this.timeout(40_000)
  let machine: string[] = []
  let running: PodweirProcess | undefined
  let witness: DemoWitness | undefined

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to run the demo')
    machine = await snapshotHost()
  })

  afterEach(async () => {
    witness?.close()
    await running?.end('SIGTERM')
    witness = running = undefined
  })

  async function watched(seconds: number): Promise<{ demo: PodweirProcess; witness: DemoWitness }> {
    running = demo(seconds)
    witness = await DemoWitness.watch()
    return { demo: running, witness }
  }

  /** Kernel objects by their ids: others' programs come and go meanwhile. */
  async function assertNothingStays({ maps, links }: Held): Promise<void> {
    assert.deepEqual([links.length, maps.length > 5], [20, true])
    assert.deepEqual(await differencesSince(machine, /: (program|bpf-link) /), [])
    let left: number[] = []
    for (let attempt = 0; attempt < 20; attempt++) {
      const existing = await existingLinks()
      left = [...links.filter(id => existing.includes(id)), ...(await programsUsing(maps))]
      if (left.length === 0) return
      await sleep(100)
    }
    assert.deepEqual(left, [])
  }

  it('is what devices and a foreign program at the tail of the chain counted, to the packet', async () => {
    const { demo, witness } = await watched(6)
    await witness.traffic()
    for (const direction of ['ingress', 'egress'] as const) {
      const chain = tcxPrograms({ netns: '/run/netns/pwd-frontend', device: 'eth0', direction })
      assert.equal(chain.length, 2)
    }
    const { code, receipt } = await receiptOf(demo)
    const truth = await witness.witnessed()
    assert.equal(code, 0)
    assert.equal(receipt.balanced, true)
    const nothing = { unobserved: 0, overseen: 0, unexplained: 0 }
    assert.deepEqual(
      new Map(receipt.interfaces.map(row => [podAndDirection(row), row.skbs])),
      new Map([...truth].map(([row, { device, foreign }]) => [row, { device, seen: foreign, ...nothing }])),
    )
    const device = sum([...truth.values()].map(each => each.device))
    assert.deepEqual(receipt.total.skbs, { device, seen: device, ...nothing })
    assert.ok(device > 2_000, `${device} packets`)
    for (const row of [...receipt.interfaces, receipt.total]) assertHolds(row)
    for (const unit of ['packets', 'bytes'] as const) {
      const of = (term: 'seen' | 'flow') => sum(receipt.interfaces.map(row => row[unit][term]))
      assert.deepEqual([receipt.total[unit].seen, receipt.total[unit].flow], [of('seen'), of('flow')])
    }
    for (const delivery of [receipt.delivery, receipt.deliveryBytes]) {
      const { drained, exported, otherEnd, excluded, queued, lost, restart } = delivery
      assert.equal(drained, exported + otherEnd + excluded + queued + lost + restart)
      assert.deepEqual([excluded, queued, lost, restart], [0, 0, 0, 0])
    }
    assert.equal(receipt.delivery.drained, receipt.total.packets.flow)
    assert.equal(receipt.deliveryBytes.drained, receipt.total.bytes.flow)
    assertFields(receipt, witness.pods)
  })

  it('shows frames that went past our hook as unexplained, and fails', async () => {
    const { demo, witness } = await watched(4)
    await witness.traffic()
    const frames = ['--device', 'eth0', '--count', '7', '--bypass']
    await runTraffic('raw', { netns: 'pwd-frontend', arguments: frames })
    const { code, receipt } = await receiptOf(demo)
    const unexplained = receipt.interfaces.filter(({ skbs }) => skbs.unexplained !== 0)
    assert.deepEqual(
      unexplained.map(row => [podAndDirection(row), row.skbs.unexplained]),
      [['frontend transmit', 7]],
    )
    const { device, foreign } = (await witness.witnessed()).get('frontend transmit')!
    assert.equal(device - foreign, 7)
    assert.deepEqual([receipt.total.skbs.unexplained, receipt.balanced, code], [7, false, 1])
  })

  it('fails when our programs see nothing any more, and says how much that was', async () => {
    const { demo, witness } = await watched(4)
    await witness.traffic()
    const programs = await programArrayOf(demo.pid)
    for (const entry of [0, 1]) deleteFromMap(programs, key32(entry))
    const { code, receipt } = await receiptOf(demo)
    const truth = await witness.witnessed()
    assert.deepEqual(
      receipt.interfaces.map(row => [podAndDirection(row), row.skbs.unexplained]),
      receipt.interfaces.map(row => [podAndDirection(row), truth.get(podAndDirection(row))!.foreign - row.skbs.seen]),
    )
    assert.ok(receipt.total.skbs.unexplained > 500, JSON.stringify(receipt.total.skbs))
    assert.deepEqual([receipt.balanced, code], [false, 1])
  })

  it('comes after SIGTERM too, and nothing stays; meanwhile a second demo and its clean-up are refused', async () => {
    running = demo(60)
    witness = await DemoWitness.watch()
    await witness.traffic()
    const refusals = [demo(1), new PodweirProcess(['demo', '--clean'])]
    for (const { code, stdout, stderr } of await Promise.all(refusals.map(each => each.ended))) {
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, /another demo is running on this machine/)
    }
    witness.close()
    const held = heldBy(running.pid)
    running.signal('SIGTERM')
    const { code, receipt } = await receiptOf(running)
    assert.deepEqual([code, receipt.balanced], [0, true])
    await assertNothingStays(held)
  })

  it('is not there after SIGKILL, but nothing stays for longer than two seconds', async () => {
    running = demo(60)
    witness = await DemoWitness.watch()
    await witness.traffic()
    witness.close()
    const held = heldBy(running.pid)
    const killed = running.end('SIGKILL')
    const killedAtMs = performance.now()
    while (demoNamespaces().length > 0) {
      assert.ok(performance.now() - killedAtMs < 2_000, `${demoNamespaces().join(', ')} after two seconds`)
      await sleep(10)
    }
    assert.equal((await killed).stdout, '')
    await assertNothingStays(held)
  })

  it('has nothing to clean on a clean machine', async () => {
    const { code, stdout } = await new PodweirProcess(['demo', '--clean']).ended
    assert.deepEqual([code, stdout], [0, 'there was nothing to remove\n'])
  })
})

describe('the agent on a pair that has talked before', function () {
  this.timeout(30_000)
  const namespaces = new Namespaces()
  let folder = ''
  let agent: Agent | undefined
  let collector: Collector | undefined

  before('build the Collector, once', async function () {
    this.timeout('15m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    folder = mkdtempSync(join(tmpdir(), 'podweir-before-'))
    await prepareCollector({ folder })
  })

  beforeEach(async () => {
    collector = await startCollector({ folder })
  })

  after(async () => {
    await agent?.stop()
    await collector?.stop()
    await namespaces.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('counts as unobserved what the devices had counted, and nothing else', async () => {
    const { a, b } = await namespaces.createPair()
    await b.serve('udp-serve', '--port', 9000)
    const datagrams = (count: number) => a.traffic('udp-send', '--to', b.addresses.v4, '--port', 9000, '--count', count)
    await datagrams(123)
    await comeToRest([a.name, b.name])
    const pods = [a, b].map((namespace, i) => ({ name: 'ab'[i]!, namespace }))
    agent = await Agent.start({ folder, pods, otlp: collector!.endpoint })
    await datagrams(200)
    await comeToRest([a.name, b.name])
    assert.deepEqual([(await a.device()).transmitPackets, (await b.device()).receivePackets], [323, 323])
    const { ledger } = await agent.until('all is seen', status => status.ledger.skbs.device === 646)
    assert.deepEqual(ledger.skbs, { device: 646, seen: 400, unobserved: 246, overseen: 0, unexplained: 0 })
    await agent.stop()
    await collector!.stop()
    const unobserved = ['a transmit', 'a receive', 'b transmit', 'b receive'].map(row => {
      const [pod, direction] = row.split(' ') as [string, string]
      const where = { 'k8s.pod.name': pod, 'network.io.direction': direction }
      return collector!.sums('podweir.pod.network.unobserved', where)
    })
    // The series of a pod tell what was missed since attaching; the ledger's hold the terms of the equation.
    assert.deepEqual(unobserved, [0n, 0n, 0n, 0n])
    const stage = { 'podweir.ledger.stage': 'unobserved' }
    assert.equal(collector!.sums('podweir.ledger.skbs', stage), 246n)
  })
})

/** Every field that the receipt is to have, and no other. */
function assertFields(receipt: Receipt, pods: readonly string[]): void {
  const fields = 'balanced delivery deliveryBytes firstNamedFlowSeconds flows interfaces program schema total'
  assert.equal(Object.keys(receipt).sort().join(' '), fields)
  assert.equal(receipt.schema, 'podweir.receipt/1')
  assert.equal(receipt.interfaces.length, 2 * pods.length)
  for (const row of receipt.interfaces) {
    assert.deepEqual(Object.keys(row), ['pod', 'interface', 'direction', 'skbs', 'packets', 'bytes', 'classes'])
    assert.equal(row.interface, 'eth0')
  }
  assert.deepEqual(Object.keys(receipt.total), ['skbs', 'packets', 'bytes', 'classes'])
  for (const { skbs, packets, bytes } of [...receipt.interfaces, receipt.total]) {
    assert.deepEqual([skbs, packets, bytes].map(Object.keys), [skbTerms, wireTerms, wireTerms])
    assert.ok([skbs, packets, bytes].flatMap(Object.values).every(Number.isSafeInteger))
  }
  assert.deepEqual([receipt.delivery, receipt.deliveryBytes].map(Object.keys), [deliveryTerms, deliveryTerms])
  const { count, named } = receipt.flows
  assert.ok(named > 0 && count >= named, JSON.stringify(receipt.flows))
  assert.ok(receipt.firstNamedFlowSeconds! <= 5, `${receipt.firstNamedFlowSeconds} s`)
  // The kernel's own statistics: one run for each skb.
  assert.equal(receipt.program.runs, receipt.total.skbs.seen)
  assert.ok(receipt.program.nanosecondsPerPacket > 0)
}

async function programArrayOf(pid: number): Promise<number> {
  const { maps } = heldBy(pid)
  const text = await runCommand('bpftool', ['--json', 'map', 'show'], { remedy: 'run as root, with bpftool installed' })
  const found = (JSON.parse(text) as { id: number; type: string }[]).filter(
    ({ id, type }) => type === 'prog_array' && maps.includes(id),
  )
  assert.equal(found.length, 1)
  return found[0]!.id
}

function demoNamespaces(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter(name => name.startsWith('pwd-')) : []
}
