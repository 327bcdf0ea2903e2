// Retransmissions, keep-alives and closed windows against what the sender's own kernel counted of itself.
import assert from 'node:assert/strict'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { ConnectionWatch, sumOf } from '../support/connections.ts'
import { Dropper } from '../support/dropper.ts'
import { Namespaces } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'
import { show } from '../support/show.ts'
import { skip } from '../support/skip.ts'
import type { End, TcpPath } from '../support/tcp-path.ts'
import { TcpScene } from '../support/tcp-scene.ts'
import { until } from '../support/until.ts'

const SINK = 5001
const SERVICE = 5002

const losses = [1, 5, 10, 20, 50] as const
const paths = [
  { name: 'in order, in super-packets', offload: 'on' },
  { name: 'in order, segment by segment', offload: 'off' },
  { name: 'partly out of order, in super-packets', offload: 'on', late: { lateEvery: 40, lateByMs: 2 } },
  { name: 'partly out of order, segment by segment', offload: 'off', late: { lateEvery: 40, lateByMs: 2 } },
] as const

let scene: TcpScene
let path: TcpPath

/** Of a namespace, since it exists: what its kernel says that it sent once more, and what Podweir saw of that. */
async function retransmitsOf(end: End): Promise<{ kernel: number; podweir: number }> {
  const { TcpRetransSegs } = await path[end].protocols()
  return { kernel: TcpRetransSegs!, podweir: sumOf(path.seenAt(end), 'fromPod', 'retransmits') }
}

/** Packets that arrived at an end and had been there before, or came behind later ones: what a receiver's side can see. */
function repairsSeenAt(end: End): number {
  const flows = path.seenAt(end)
  return sumOf(flows, 'toPod', 'retransmits') + sumOf(flows, 'toPod', 'outOfOrder')
}

/** A bulk transfer, and requests over connections that are kept. */
async function transfer(): Promise<void> {
  const { a, b } = path
  await a.traffic('tcp-bulk', '--to', b.addresses.v4, '--port', SINK, '--bytes', 4_000_000)
  const exchange = ['--request', 2000, '--response', 20_000, '--connections', 'keep', '--parallel', 4] as const
  await a.traffic('tcp-request', '--to', b.addresses.v4, '--port', SERVICE, '--count', 60, ...exchange)
}

describe('retransmitted packets', function () {
  this.timeout(60_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  beforeEach(async () => {
    scene = await TcpScene.open()
    path = scene.path
  })

  afterEach(() => scene?.close())

  for (const { name, offload, ...more } of paths) {
    it(`are those that both kernels say, ${name}`, async function () {
      await path.a.offload('eth0', offload)
      if ('late' in more) await path.forward(more.late)
      const droppers = [path.dropAt('a'), path.dropAt('b')]
      await path.b.serve('tcp-serve', '--port', SINK, '--sink')
      await path.b.serve('tcp-serve', '--port', SERVICE, '--request', 2000, '--response', 20_000)
      const told: string[] = []
      for (const perMille of losses) {
        for (const [i, dropper] of droppers.entries()) dropper.set({ perMille, seed: 100 * perMille + i })
        await transfer()
        await path.settle()
        const [a, b] = [await retransmitsOf('a'), await retransmitsOf('b')]
        const lost = droppers.reduce((sum, dropper) => sum + dropper.lost, 0)
        told.push(`${perMille / 10} % (${lost} lost): ${a.podweir} of ${a.kernel} and ${b.podweir} of ${b.kernel}`)
        assert.deepEqual([a.podweir, b.podweir], [a.kernel, b.kernel], told.join('; '))
      }
      assert.ok((await retransmitsOf('a')).kernel > 50, 'hardly anything was retransmitted')
      show(this, `${told.join('; ')}; the receiver saw ${repairsSeenAt('b')} and ${repairsSeenAt('a')} repairs`)
    })
  }

  it('are those of short connections that lose their SYN, data and FIN', async function () {
    const droppers = (['a', 'b'] as const).map((end, i) => path.dropAt(end, { perMille: 50, seed: 7 + i }))
    await path.b.serve('tcp-serve', '--port', SERVICE, '--request', 100, '--response', 3000)
    const exchange = ['--request', 100, '--response', 3000, '--connections', 'each', '--parallel', 16] as const
    await path.a.traffic('tcp-request', '--to', path.b.addresses.v4, '--port', SERVICE, '--count', 200, ...exchange)
    await path.settle()
    const [a, b] = [await retransmitsOf('a'), await retransmitsOf('b')]
    const { TcpExtTCPSynRetrans: syns } = await path.a.protocols()
    const { TcpExtTCPSynRetrans: synAcks } = await path.b.protocols()
    const lost = droppers.reduce((sum, dropper) => sum + dropper.lost, 0)
    const text = `${lost} lost: ${a.podweir} of ${a.kernel} (${syns} SYN) and ${b.podweir} of ${b.kernel} (${synAcks} SYN-ACK)`
    assert.deepEqual([a.podweir, b.podweir], [a.kernel, b.kernel], text)
    assert.ok(syns! > 0 && synAcks! > 0 && a.kernel > syns!, text)
    show(this, text)
  })

  for (const [name, end, rule] of [
    ['SYN', 'b', { flags: 'S', first: 2 }],
    ['SYN-ACK', 'a', { flags: 'SA', first: 2 }],
    ['FIN', 'b', { flags: 'F', of: 'FSR', first: 2 }],
  ] as const) {
    it(`are those of a lost ${name}`, async function () {
      const dropper = path.dropAt(end, rule)
      await scene.end(await scene.talk(scene.listen()))
      await path.settle()
      const [a, b] = [await retransmitsOf('a'), await retransmitsOf('b')]
      const text = `${dropper.lost} lost: ${a.podweir} of ${a.kernel} and ${b.podweir} of ${b.kernel}`
      assert.equal(dropper.lost, 2)
      assert.deepEqual([a.podweir, b.podweir], [a.kernel, b.kernel], text)
      assert.ok(a.kernel + b.kernel >= 2, text)
      show(this, text)
    })
  }

  it('are not keep-alives', async function () {
    const { client } = await scene.talk(scene.listen())
    client.set('keepIdle', 1).set('keepInterval', 1).set('keepAlive', 1)
    const sent = async () => (await path.a.protocols()).TcpExtTCPKeepAlive!
    await until('three keep-alives were sent', async () => (await sent()) >= 3)
    await path.rest()
    const [flow] = path.seenAt('a')
    assert.deepEqual(await retransmitsOf('a'), { kernel: 0, podweir: 0 })
    assert.deepEqual([flow!.fromPod.outOfOrder, flow!.fromPod.duplicateAcks, flow!.toPod.duplicateAcks], [0, 0, 0])
    show(this, `${await sent()} sent, 0 counted`)
  })

  it('are not probes of a closed window, which is counted each time that it closes', async function () {
    const talk = await scene.talk(scene.listen())
    let taken = 0
    for (let episode = 1; episode <= 3; episode++) taken += await scene.closeWindow(talk)
    await path.rest()
    const [a, b] = [await path.a.protocols(), await path.b.protocols()]
    const seen = { sender: path.seenAt('b')[0]!.fromPod.zeroWindows, receiver: path.seenAt('a')[0]!.toPod.zeroWindows }
    const text = `${a.TcpExtTCPWinProbe} probes, ${taken} bytes; the window closed ${b.TcpExtTCPToZeroWindowAdv} times`
    assert.deepEqual(await retransmitsOf('a'), { kernel: a.TcpRetransSegs!, podweir: a.TcpRetransSegs! })
    assert.ok(b.TcpExtTCPToZeroWindowAdv! >= 3, text)
    assert.equal(b.TcpExtTCPToZeroWindowAdv, b.TcpExtTCPFromZeroWindowAdv, text)
    assert.deepEqual(seen, { sender: b.TcpExtTCPToZeroWindowAdv, receiver: b.TcpExtTCPToZeroWindowAdv }, text)
    show(this, `${text}, Podweir ${seen.sender} and ${seen.receiver}`)
  })
})

/**
 * Two CPUs that handle a sender's packets in the same nanoseconds can misplace a whole burst, rarely: most runs are exact,
 * and the worst eight that were measured missed 9 % together (docs/tcp.md). Where late packets are taken for sent again,
 * eight are off by 44 % to 149 %.
 */
const RUNS = 8
const LARGEST_MEDIAN = 0.01
const LARGEST_OF_ALL = 0.25

interface Retransmitted {
  readonly kernel: number
  readonly podweir: number
}

const deviationOf = ({ kernel, podweir }: Retransmitted) => Math.abs(podweir - kernel) / kernel

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return (sorted[(values.length - 1) >> 1]! + sorted[values.length >> 1]!) / 2
}

describe('retransmitted packets at the host’s end', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let watch: ConnectionWatch
  let dropper: Dropper | undefined

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  beforeEach(async () => {
    namespaces = new Namespaces()
    watch = await ConnectionWatch.open()
  })

  afterEach(async () => {
    dropper?.close()
    await watch.close()
    await namespaces.remove()
  })

  it('are in most runs those that the pod’s kernel says to 1 %, although its CPUs overtake each other', async function () {
    const [pod, peer] = (await namespaces.createPods(2)).map(made => made)
    await pod!.namespace.offload('eth0', 'off')
    const slot = await watch.attach(undefined, { device: pod!.hostDevice, place: 'host' })
    dropper = new Dropper(
      { netns: peer!.namespace.path, device: 'eth0', direction: 'ingress', where: 'tcx-head' },
      { perMille: 1 },
    )
    await peer!.namespace.serve('tcp-serve', '--port', SINK, '--sink')
    const send = () =>
      pod!.namespace.traffic('tcp-bulk', '--to', peer!.namespace.addresses.v4, '--port', SINK, '--bytes', 20_000_000)
    const runs: Retransmitted[] = []
    let all: Retransmitted = { kernel: 0, podweir: 0 }
    for (let run = 0; run < RUNS; run++) {
      await Promise.all([send(), send()])
      await comeToRest([pod!.namespace.name, peer!.namespace.name])
      await watch.drain()
      const { TcpRetransSegs: kernel } = await pod!.namespace.protocols()
      const now = { kernel: kernel!, podweir: sumOf(watch.of(slot), 'fromPod', 'retransmits') }
      runs.push({ kernel: now.kernel - all.kernel, podweir: now.podweir - all.podweir })
      all = now
    }
    const overtaken = sumOf(watch.of(slot), 'fromPod', 'outOfOrder')
    const told = `${runs.map(({ kernel, podweir }) => `${podweir} of ${kernel}`).join(', ')} (${overtaken} overtaken)`
    assert.ok(median(runs.map(deviationOf)) <= LARGEST_MEDIAN, told)
    assert.ok(deviationOf(all) <= LARGEST_OF_ALL, told)
    show(this, told)
  })
})
