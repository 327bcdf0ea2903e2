// How attempts to connect fail, each made for real: none is mistaken for another, and the kernels' counts agree.
import assert from 'node:assert/strict'
import { afterEach, before, describe, it } from 'mocha'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { type ProbeOptions, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { TcpState } from '../support/endpoint-socket.ts'
import { icmp, tcp } from '../support/packet.ts'
import { Recorder } from '../support/recorder.ts'
import { show } from '../support/show.ts'
import { skip } from '../support/skip.ts'
import { PORT, TcpScene } from '../support/tcp-scene.ts'
import { until } from '../support/until.ts'

const UNREACHABLE = 3
const PORT_UNREACHABLE = 3
const refused = { failed: ['refused'], state: 'refused' }
const unreachable = { failed: ['unreachable'], state: 'unreachable' }
const timeout = { failed: ['timeout'], state: 'timeout' }
const connecting = { state: 'connecting' }

let scene: TcpScene
let recorder: Recorder | undefined

const begin = async (options: Partial<ProbeOptions> = {}) => {
  scene = await TcpScene.open(options)
  return scene
}

function wallMs(monotonicMs: number): number {
  return Date.now() - Number(process.hrtime.bigint()) / 1e6 + monotonicMs
}

describe('an attempt to connect', function () {
  this.timeout(60_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  afterEach(async () => {
    recorder?.close()
    recorder = undefined
    await scene?.close()
  })

  it('to a closed port is refused', async () => {
    const { path } = await begin()
    const client = scene.dial()
    assert.equal(await client.error(), 'ECONNREFUSED')
    await path.settle()
    scene.tellBoth(refused)
    const a = await scene.kernel('a', 'ActiveOpens', 'AttemptFails')
    const b = await scene.kernel('b', 'PassiveOpens', 'OutRsts')
    assert.deepEqual(
      [a, b],
      [
        { ActiveOpens: 1, AttemptFails: 1 },
        { PassiveOpens: 0, OutRsts: 1 },
      ],
    )
    assert.equal(path.seenAt('b')[0]!.fromPod.resets, 1)
  })

  it('that nobody answers fails 10 s after its last SYN, and is connecting until then', async function () {
    const { path } = await begin()
    path.dropAt('b', { flags: 'S', perMille: 1000 })
    recorder = new Recorder({ netns: path.a.path, device: 'eth0' })
    const client = scene.socketAt('a').set('synCount', 1).connect(path.b.addresses.v4, PORT)
    assert.equal(await client.error(), 'ETIMEDOUT')
    await path.rest()
    scene.tell('a', connecting)
    await path.watch.until('the attempt has failed', () => path.seenAt('a')[0]!.failed.length > 0, 15_000)
    scene.tell('a', timeout)
    const [flow] = path.seenAt('a')
    const lastSynMs = wallMs(recorder.lastTcp(path.a.addresses.v4).monotonicMs)
    const [toldMs, endedMs] = [Date.now() - lastSynMs, flow!.endedAtMs - lastSynMs]
    assert.deepEqual(flow!.states, ['connecting', 'timeout'])
    assert.ok(toldMs > 10_000 && toldMs < 13_000, `told ${toldMs} ms after the last SYN`)
    assert.ok(Math.abs(endedMs - 10_000) < 20, `ended ${endedMs} ms after the last SYN`)
    const { AttemptFails, RetransSegs } = await scene.kernel('a', 'AttemptFails', 'RetransSegs')
    assert.equal(AttemptFails, 1)
    assert.equal(flow!.fromPod.retransmits, RetransSegs)
    show(
      this,
      `${RetransSegs! + 1} SYNs, ended ${endedMs.toFixed(1)} ms after the last one, told after ${toldMs.toFixed(0)} ms`,
    )
  })

  it('that is answered late has failed, and is open', async () => {
    const { path } = await begin({ retire: { ...RETIRE_TIMES, connectTimeoutMs: 300 } })
    path.dropAt('b', { flags: 'S', first: 1 })
    const server = scene.listen()
    const client = scene.dial()
    await path.watch.until('the attempt has failed', () => path.seenAt('a')[0]?.failed.length === 1)
    scene.tell('a', timeout)
    const talked = await scene.talk(server, client)
    await path.rest()
    scene.tell('a', { opened: 1, failed: ['timeout'], state: 'established' })
    scene.tell('b', { opened: 1, state: 'established' })
    talked.client.close()
    await talked.accepted.ended()
    talked.accepted.close()
    await path.settle()
    scene.tell('a', { opened: 1, failed: ['timeout'], closed: ['fin'], state: 'closed' })
    const a = await scene.kernel('a', 'ActiveOpens', 'AttemptFails')
    assert.deepEqual(a, { ActiveOpens: 1, AttemptFails: 0 })
    assert.ok(path.seenAt('a')[0]!.handshakeSeconds >= 0.9, 'the handshake lasts from the first SYN')
  })

  it('that a router calls unreachable or forbidden is unreachable, and one that it drops is not', async () => {
    const { path } = await begin({ retire: { ...RETIRE_TIMES, connectTimeoutMs: 5_000 } })
    await scene.addRouter()
    const attempts = ['10.78.1.1', '10.78.2.1', '10.78.3.1'].map(address => scene.socketAt('a').connect(address, PORT))
    // An ICMP that finds the socket in use is no more than a hint: then a later SYN's brings the end.
    const over = () => attempts.slice(0, 2).every(({ state }) => state.tcpState === TcpState.closed)
    await until('both kernels’ attempts are over', over)
    await path.rest()
    const tcpFlows = () => path.seenAt('a').filter(({ protocol }) => protocol === 6)
    const told = () => tcpFlows().map(({ remote, opened, failed, state }) => ({ remote, opened, failed, state }))
    const at = (network: number) => ({ remote: `10.78.${network}.1:${PORT}`, opened: 0 })
    assert.deepEqual(told(), [
      { ...at(1), failed: ['unreachable'], state: 'unreachable' },
      { ...at(2), failed: ['unreachable'], state: 'unreachable' },
      { ...at(3), failed: [], state: 'connecting' },
    ])
    attempts[2]!.close()
    await path.watch.until('the last one has failed', () => tcpFlows()[2]!.failed.length > 0)
    assert.deepEqual(told()[2], { ...at(3), ...timeout })
    const { AttemptFails, IcmpInDestUnreachs } = await scene.kernel('a', 'AttemptFails', 'IcmpInDestUnreachs')
    assert.ok(AttemptFails === 2 && IcmpInDestUnreachs >= 2, `${AttemptFails} fails, ${IcmpInDestUnreachs} ICMP`)
  })

  it('that its host has no port for is unreachable, also where the host says so by ICMP', async () => {
    const { path } = await begin()
    path.dropAt('b', { flags: 'S', perMille: 1000 })
    recorder = new Recorder({ netns: path.a.path, device: 'eth0' })
    const client = scene.dial()
    await until('the SYN was sent', () => recorder!.frames > 0)
    const [from, to] = [path.b.addresses.v4, path.a.addresses.v4]
    const { sourcePort, sequence } = recorder.lastTcp(to)
    const syn = tcp({ from: to, to: from, sourcePort, destinationPort: PORT, flags: 'S', sequence })
    await scene.inject(
      'b',
      icmp({ from, to, type: UNREACHABLE, code: PORT_UNREACHABLE, payload: syn.subarray(14, 42) }),
    )
    assert.equal(await client.error(), 'ECONNREFUSED')
    await path.rest()
    const [flow] = path.seenAt('a').filter(({ protocol }) => protocol === 6)
    assert.deepEqual([flow!.failed, flow!.state, flow!.opened], [unreachable.failed, unreachable.state, 0])
    assert.equal((await scene.kernel('a', 'AttemptFails')).AttemptFails, 1)
  })

  it('that is given up before its answer comes is reset, not refused', async () => {
    const { path } = await begin()
    await path.forward({ delayMs: 100 })
    scene.listen()
    const client = scene.dial()
    await path.watch.until('the SYN was seen', () => path.seenAt('a').length > 0)
    client.close()
    await path.settle()
    scene.tellBoth({ failed: ['reset'], state: 'resetEarly' })
    const a = await scene.kernel('a', 'OutRsts', 'ActiveOpens')
    const b = await scene.kernel('b', 'EmbryonicRsts', 'PassiveOpens')
    assert.deepEqual(
      [a, b],
      [
        { OutRsts: 1, ActiveOpens: 1 },
        { EmbryonicRsts: 1, PassiveOpens: 0 },
      ],
    )
  })

  it('that is answered by a reset after its last packet was open', async () => {
    const { path } = await begin()
    await path.forward({ delayMs: 100 })
    const server = scene.listen()
    const client = scene.dial()
    await path.watch.until('the SYN was answered', () => path.seenAt('b').length > 0)
    server.close()
    assert.equal(await client.error(), 'ECONNRESET')
    await path.settle()
    scene.tell('a', { opened: 1, closed: ['resetByRemote'], state: 'resetByRemote' })
    scene.tell('b', { opened: 1, closed: ['resetByLocal'], state: 'resetByLocal' })
    assert.equal((await scene.kernel('a', 'EstabResets')).EstabResets, 1)
    assert.equal((await scene.kernel('b', 'OutRsts')).OutRsts, 1)
  })

  it('is one of many that fail in different ways at the same time', async () => {
    const { path } = await begin({ retire: { ...RETIRE_TIMES, connectTimeoutMs: 2_000 } })
    await scene.addRouter()
    const server = scene.listen()
    const COUNT = 20
    const to = (address: string, port: number) => scene.socketAt('a').connect(address, port)
    const silent: ReturnType<typeof to>[] = []
    for (let i = 0; i < COUNT; i++) {
      to(path.b.addresses.v4, 1000 + i)
      silent.push(to(`10.78.3.${i + 1}`, PORT))
      const { client, accepted } = await scene.talk(server)
      for (const socket of [client, accepted]) socket.close()
    }
    for (const socket of silent) socket.close()
    const failed = (how: string) => path.seenAt('a').filter(flow => flow.failed.join() === how).length
    await path.watch.until('the silent ones have failed', () => failed('timeout') === COUNT)
    assert.deepEqual([failed('refused'), failed('timeout'), failed('')], [COUNT, COUNT, COUNT])
    const { AttemptFails, ActiveOpens } = await scene.kernel('a', 'AttemptFails', 'ActiveOpens')
    assert.deepEqual([AttemptFails, ActiveOpens], [COUNT, 3 * COUNT])
    assert.ok(
      path
        .seenAt('a')
        .every(({ opener, opened, failed: told }) => opener === Opener.local && opened + told.length === 1),
    )
  })
})
