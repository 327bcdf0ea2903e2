// How connections begin and how they end, each made for real and held against the kernels' own counts.
import assert from 'node:assert/strict'
import { afterEach, before, describe, it } from 'mocha'
import { Confidence, Opener } from '../../lib/capture/flow-batch.ts'
import { type ProbeOptions, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { tcp } from '../support/packet.ts'
import { Recorder } from '../support/recorder.ts'
import { show } from '../support/show.ts'
import { skip } from '../support/skip.ts'
import { PORT, TcpScene } from '../support/tcp-scene.ts'

const established = { opened: 1, state: 'established' }
const closed = { opened: 1, closed: ['fin'], state: 'closed' }
const FAST_OPEN = 'net/ipv4/tcp_fastopen=3'

let scene: TcpScene
let recorder: Recorder | undefined

const begin = async (options: Partial<ProbeOptions> = {}) => {
  scene = await TcpScene.open(options)
  return scene
}

describe('a TCP connection', function () {
  this.timeout(60_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  afterEach(async () => {
    recorder?.close()
    await scene?.close()
  })

  for (const first of ['client', 'server'] as const) {
    it(`is opened once, and closed once when the ${first} has ended it first`, async function () {
      const { path } = await begin()
      const { client, accepted } = await scene.talk(scene.listen())
      await path.rest()
      scene.tellBoth(established)
      const [one, other] = first === 'client' ? [client, accepted] : [accepted, client]
      one.close()
      await other.ended()
      await path.rest()
      scene.tellBoth({ opened: 1, state: 'closing' })
      other.close()
      await path.settle()
      scene.tellBoth(closed)
      const a = await scene.kernel('a', 'ActiveOpens', 'PassiveOpens', 'AttemptFails', 'EstabResets', 'OutRsts')
      const b = await scene.kernel('b', 'ActiveOpens', 'PassiveOpens', 'AttemptFails', 'EstabResets', 'OutRsts')
      assert.deepEqual(a, { ActiveOpens: 1, PassiveOpens: 0, AttemptFails: 0, EstabResets: 0, OutRsts: 0 })
      assert.deepEqual(b, { ActiveOpens: 0, PassiveOpens: 1, AttemptFails: 0, EstabResets: 0, OutRsts: 0 })
      show(this, 'both kernels: 1 open, 0 fails, 0 resets')
    })

    it(`is reset by the ${first}`, async () => {
      const { path } = await begin()
      const { client, accepted } = await scene.talk(scene.listen())
      const [one, other] = first === 'client' ? [client, accepted] : [accepted, client]
      one.set('linger', 0).close()
      assert.equal(await other.error(), 'ECONNRESET')
      await path.settle()
      const mine = (end: string) => (first === 'client') === (end === 'a')
      for (const end of ['a', 'b'] as const) {
        const state = mine(end) ? 'resetByLocal' : 'resetByRemote'
        scene.tell(end, { opened: 1, closed: [state], state })
        const resets = path.seenAt(end)[0]!.fromPod.resets
        const { OutRsts, EstabResets } = await scene.kernel(end, 'OutRsts', 'EstabResets')
        assert.deepEqual({ OutRsts: resets, EstabResets }, { OutRsts, EstabResets: 1 })
        assert.equal(resets, mine(end) ? 1 : 0)
      }
    })
  }

  it('goes on while only one side has ended it', async () => {
    const { path } = await begin()
    const { client, accepted } = await scene.talk(scene.listen())
    client.shutDown()
    await accepted.ended()
    accepted.send(5000)
    await client.receive(5000)
    await path.rest()
    scene.tellBoth({ opened: 1, state: 'closing' })
    accepted.close()
    await client.ended()
    await path.settle()
    scene.tellBoth(closed)
  })

  it('is opened from both sides at once', async () => {
    const { path } = await begin()
    // Both SYNs are on the way before one arrives.
    await path.forward({ delayMs: 50 })
    const [one, other] = [scene.socketAt('a'), scene.socketAt('b')]
    one.bind(path.a.addresses.v4, 7001)
    other.bind(path.b.addresses.v4, 7002)
    one.connect(path.b.addresses.v4, 7002)
    other.connect(path.a.addresses.v4, 7001)
    await Promise.all([one.connected(), other.connected()])
    await path.rest()
    const opens = [
      await scene.kernel('a', 'ActiveOpens', 'PassiveOpens'),
      await scene.kernel('b', 'ActiveOpens', 'PassiveOpens'),
    ]
    assert.deepEqual(opens, [
      { ActiveOpens: 1, PassiveOpens: 0 },
      { ActiveOpens: 1, PassiveOpens: 0 },
    ])
    // Each sees its own SYN first.
    scene.tell('a', established)
    scene.tell('b', { ...established, opener: Opener.local })
    for (const end of ['a', 'b'] as const) assert.equal(path.seenAt(end)[0]!.fromPod.retransmits, 0)
    one.close()
    await other.ended()
    other.close()
    await path.settle()
    scene.tell('a', closed)
    scene.tell('b', { ...closed, opener: Opener.local })
  })

  it('is another one on the same ports, while the old one lingers', async () => {
    const { path } = await begin()
    const server = scene.listen()
    for (let round = 0; round < 3; round++) {
      const { client, accepted } = await scene.talk(server, scene.dial(41_000))
      // The first two leave TIME_WAIT at the server, which takes a newer SYN there; the last is reset.
      if (round === 1) client.set('linger', 0).close()
      accepted.close()
      if (round !== 1) await client.ended()
      client.close()
      await path.rest()
    }
    await path.settle()
    const reset = (state: string) => ({ opened: 1, closed: [state], state })
    scene.tell('a', closed, reset('resetByLocal'), closed)
    scene.tell('b', closed, reset('resetByRemote'), closed)
    const { ActiveOpens } = await scene.kernel('a', 'ActiveOpens')
    const { PassiveOpens } = await scene.kernel('b', 'PassiveOpens')
    assert.deepEqual([ActiveOpens, PassiveOpens], [3, 3])
    assert.ok(path.watch.flows.every(({ local, remote }) => `${local} ${remote}`.includes('10.77.0.1:41000')))
  })

  it('takes data along with its SYN', async function () {
    const { path } = await begin()
    for (const end of ['a', 'b'] as const) await scene.sysctl(end, FAST_OPEN)
    const server = scene.listen().set('fastOpen', 16)
    // The first one gets the cookie, the second uses it, the third one's SYN is lost with its data.
    for (let round = 0; round < 3; round++) {
      if (round === 2) path.dropAt('b', { flags: 'S', first: 1 })
      await scene.talkFast(server)
    }
    await path.settle()
    scene.tellBoth(closed, closed, closed)
    const { TCPFastOpenActive, TCPSynRetrans, RetransSegs } = await scene.kernel(
      'a',
      'TCPFastOpenActive',
      'TCPSynRetrans',
      'RetransSegs',
    )
    const { TCPFastOpenPassive, PassiveOpens } = await scene.kernel('b', 'TCPFastOpenPassive', 'PassiveOpens')
    assert.ok(TCPFastOpenActive >= 1 && TCPFastOpenPassive >= 1 && TCPSynRetrans === 1)
    assert.equal(PassiveOpens, 3)
    assert.equal(
      path.seenAt('a').reduce((sum, flow) => sum + flow.fromPod.retransmits, 0),
      RetransSegs,
    )
    show(this, `${TCPFastOpenActive} with data that was taken, ${RetransSegs} retransmitted`)
  })

  it('is reset by a packet with data', async () => {
    const { path } = await begin()
    recorder = new Recorder({ netns: path.a.path, device: 'eth0' })
    const { client, accepted } = await scene.talk(scene.listen())
    await path.rest()
    const last = recorder.lastTcp(path.a.addresses.v4)
    const reset = {
      from: path.a.addresses.v4,
      to: path.b.addresses.v4,
      sourcePort: client.localPort,
      destinationPort: PORT,
    }
    await scene.inject(
      'a',
      tcp({ ...reset, flags: 'RA', sequence: last.next, acknowledgment: last.acknowledgment, payload: 20 }),
    )
    assert.equal(await accepted.error(), 'ECONNRESET')
    await path.rest()
    scene.tell('a', { opened: 1, closed: ['resetByLocal'], state: 'resetByLocal' })
    scene.tell('b', { opened: 1, closed: ['resetByRemote'], state: 'resetByRemote' })
    assert.equal((await scene.kernel('b', 'EstabResets')).EstabResets, 1)
    assert.deepEqual(
      path.seenAt('a').map(({ fromPod }) => [fromPod.retransmits, fromPod.outOfOrder]),
      [[0, 0]],
    )
  })

  it('met in the middle is not opened, and its end is told', async () => {
    scene = await TcpScene.unobserved()
    const { path } = scene
    const server = scene.listen()
    const [ended, reset] = [await scene.talk(server), await scene.talk(server)]
    await path.observe()
    for (const { client, accepted } of [ended, reset]) {
      accepted.send(100)
      await client.receive(100)
    }
    await path.rest()
    const middle = { opener: Opener.local, state: 'midstream' }
    // The first packet seen is the server's: nothing says that it isn't the opener.
    scene.tell('a', { ...middle, opener: Opener.remote }, { ...middle, opener: Opener.remote })
    scene.tell('b', middle, middle)
    assert.ok(path.watch.flows.every(({ confidence }) => confidence === Confidence.firstPacket))
    ended.client.close()
    await ended.accepted.ended()
    ended.accepted.close()
    reset.client.set('linger', 0).close()
    assert.equal(await reset.accepted.error(), 'ECONNRESET')
    await path.rest()
    const told = (state: string, opener: number) => ({ closed: [state === 'closed' ? 'fin' : state], state, opener })
    scene.tell('a', told('closed', Opener.remote), told('resetByLocal', Opener.remote))
    scene.tell('b', told('closed', Opener.local), told('resetByRemote', Opener.local))
  })

  it('that its opener alone takes for open is half-open, and fails', async () => {
    const { path } = await begin({ retire: { ...RETIRE_TIMES, halfOpenMs: 2_000 } })
    await scene.sysctl('b', 'net/ipv4/tcp_synack_retries=0')
    path.dropAt('b', { flags: 'A', perMille: 1000 })
    scene.listen()
    const client = scene.dial()
    await client.connected()
    await path.rest()
    scene.tell('a', established)
    scene.tell('b', { state: 'connecting' })
    await path.watch.until('the half-open one leaves', () => path.seenAt('b')[0]!.ended === 1)
    scene.tell('b', { failed: ['timeout'], state: 'timeout' })
    scene.tell('a', established)
    assert.equal((await scene.kernel('b', 'PassiveOpens')).PassiveOpens, 0)
  })
})
