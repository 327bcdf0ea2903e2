import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { type DeviceCounters, quiesce, tcpPacketsSent } from '../support/counters.ts'
import { Namespaces, type WireHop } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'

const ETHERNET_IPV4_TCP_BYTES = 14 + 20 + 32
/** A SYN's options are 8 bytes longer than the time stamps of the other packets. */
const SYN_EXTRA_BYTES = 8

describe('test namespaces', function () {
  this.timeout(30_000)
  const namespaces = new Namespaces()
  let hop: WireHop

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to make network namespaces')
    hop = await namespaces.wireHop({ ipv6: true })
  })
  after(() => namespaces.remove())

  /** What the hop and both ends counted while `work` ran. */
  async function during(work: () => Promise<unknown>) {
    const read = async () => ({
      wire: await hop.wire(),
      device: await hop.a.device(),
      a: await hop.a.protocols(),
      b: await hop.b.protocols(),
    })
    const before = await read()
    await work()
    await quiesce([hop.a.name, hop.b.name, hop.middle.name])
    const now = await read()
    const grown = (end: 'wire' | 'device', name: keyof DeviceCounters) => now[end][name] - before[end][name]
    return {
      grown,
      tcpSentByA: tcpPacketsSent(now.a, 'client') - tcpPacketsSent(before.a, 'client'),
      tcpSentByB: tcpPacketsSent(now.b, 'server') - tcpPacketsSent(before.b, 'server'),
    }
  }

  it('are silent until somebody speaks', async () => {
    const { grown } = await during(() => new Promise(resolve => setTimeout(resolve, 1500)))
    assert.equal(grown('wire', 'transmitPackets') + grown('wire', 'receivePackets'), 0)
    assert.equal((await hop.a.device()).transmitPackets, 0)
  })

  it('show at the hop the wire packets and bytes of super-packets', async () => {
    const bytes = 20_000_000
    const sink = await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
    let again = 0
    const { grown, tcpSentByA, tcpSentByB } = await during(async () => {
      const counts = await hop.a.traffic('tcp-bulk', '--to', hop.b.addresses.v4, '--port', 5001, '--bytes', bytes)
      again = counts.retransmittedBytes!
    })
    assert.equal((await sink.stop()).receivedBytes, bytes)
    const packets = grown('wire', 'transmitPackets')
    assert.equal(packets, tcpSentByA)
    assert.equal(grown('wire', 'receivePackets'), tcpSentByB)
    assert.equal(grown('wire', 'transmitDropped'), 0)
    assert.equal(grown('wire', 'transmitBytes'), bytes + again + packets * ETHERNET_IPV4_TCP_BYTES + SYN_EXTRA_BYTES)
    assert.ok(grown('device', 'transmitPackets') < packets / 4, 'the pod end sent no super-packets')
  })

  it('carry datagrams over exactly as many five-tuples as asked for, without loss', async () => {
    const server = await hop.b.serve('udp-serve', '--port', 9000, '--ports', 4)
    const to = ['--to', hop.b.addresses.v6, '--port', 9000, '--ports', 4] as const
    const { grown } = await during(() =>
      hop.a.traffic('udp-send', ...to, '--count', 8000, '--size', 100, '--tuples', 800),
    )
    const { received, dropped } = await server.stop()
    assert.deepEqual({ received, dropped }, { received: 8000, dropped: 0 })
    assert.equal(grown('wire', 'transmitPackets'), 8000)
    assert.equal(grown('wire', 'transmitBytes'), 8000 * (14 + 40 + 8 + 100))
  })

  it('show frames that bypass the queue discipline', async () => {
    const raw = ['--device', 'eth0', '--count', 100, '--size', 142, '--mac', hop.b.addresses.mac] as const
    const { grown } = await during(() => hop.a.traffic('raw', ...raw, '--bypass'))
    assert.equal(grown('device', 'transmitPackets'), 100)
    assert.equal(grown('wire', 'transmitBytes'), 14_200)
  })

  it('join pods over a bridge of the host', async () => {
    const [one, two] = await namespaces.createPods(2)
    const ping = await one!.namespace.traffic('ping', '--to', two!.namespace.addresses.v4, '--count', 3)
    assert.deepEqual(ping, { sent: 3, replies: 3 })
    assert.equal((await one!.namespace.device()).transmitPackets, 3)
  })

  it('have no IPv6 unless asked for', async () => {
    const { a, b } = await namespaces.createPair()
    const { replies } = await a.traffic('ping', '--to', b.addresses.v4, '--count', 1)
    assert.equal(replies, 1)
    await assert.rejects(a.traffic('ping', '--to', b.addresses.v6, '--count', 1), /send echo to target/)
  })
})
