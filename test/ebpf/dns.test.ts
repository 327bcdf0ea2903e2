// What the module "dns" copies of built packets, and that everything is counted as without it.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'mocha'
import { formatAddress } from '../../lib/capture/address.ts'
import type { DnsBatch, DnsSource } from '../../lib/capture/dns-source.ts'
import { dnsMessage, withLength } from '../support/dns.ts'
import { Namespaces } from '../support/namespaces.ts'
import { type Envelope, ip, Protocol, padded, patched, tcp, udp } from '../support/packet.ts'
import { skip } from '../support/skip.ts'
import { CountedInterface, flowRows } from './counted-interface.ts'

const POD4 = '10.0.0.1'
const SERVER4 = '10.96.0.10'
const POD6 = 'fd00::1'
const SERVER6 = 'fd96::a'
const SHARE_BYTES = 64 * 1024
const HEAD_BYTES = 56
/** From one reading to the next, in the agent. */
const MOST_BYTES_OF_ONE = 1024 * 1024

interface Row {
  readonly fromPod: number
  readonly protocol: number
  readonly cut: number
  readonly local: string
  readonly localPort: number
  readonly remote: string
  readonly interfaceSlot: number
  readonly payload: Uint8Array
}

function rowsOf(batch: DnsBatch): Row[] {
  return Array.from({ length: batch.length }, (_, i) => ({
    fromPod: batch.fromPod[i]!,
    protocol: batch.protocol[i]!,
    cut: batch.cut[i]!,
    local: formatAddress(batch.localAddress, i * 16, batch.family[i]!),
    localPort: batch.localPort[i]!,
    remote: formatAddress(batch.remoteAddress, i * 16, batch.family[i]!),
    interfaceSlot: batch.interfaceSlot[i]!,
    payload: batch.bytes.subarray(i === 0 ? 0 : batch.end[i - 1]!, batch.end[i]!),
  }))
}

const query = dnsMessage({ name: 'api.example' })
const answer = dnsMessage({ name: 'api.example', answers: [{ type: 'A', data: '203.0.113.7' }] })
const asked = (parts: Partial<Envelope> = {}) =>
  udp({ from: POD4, to: SERVER4, sourcePort: 40_000, destinationPort: 53, payload: query, ...parts })
const answered = (parts: Partial<Envelope> = {}) =>
  udp({ from: SERVER4, to: POD4, sourcePort: 53, destinationPort: 40_000, payload: answer, ...parts })
const ports = (destinationPort: number) => ({ sourcePort: 40_000, destinationPort })
const tcpTo = { sourcePort: 40_000, destinationPort: 53, flags: 'PA' } as const

describe('the module dns', function () {
  this.timeout(20_000)
  let namespaces: Namespaces
  let counted: CountedInterface
  let dns: DnsSource

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    const { a } = await namespaces.createPair()
    counted = await CountedInterface.open(a.path, { dns: true })
    dns = await counted.source.openDns()
  })
  beforeEach(async () => {
    await dns.read()
    await counted.drain()
  })
  after(async () => {
    await counted?.close()
    await namespaces?.remove()
  })

  const told = async () => rowsOf(await dns.read())
  const seen = async () =>
    flowRows(await counted.drain()).reduce((sum, row) => sum + row.fromPodPackets + row.toPodPackets, 0)

  it('tells queries and answers, of both families', async () => {
    counted.send(asked())
    counted.receive(answered())
    counted.send(asked({ from: POD6, to: SERVER6 }))
    counted.receive(answered({ from: SERVER6, to: POD6 }))
    const rest = { protocol: Protocol.udp, cut: 0, localPort: 40_000, interfaceSlot: counted.interfaceSlot }
    const ends = { v4: { local: POD4, remote: SERVER4 }, v6: { local: POD6, remote: SERVER6 } }
    const payload = (bytes: Uint8Array) => ({ payload: new Uint8Array(bytes) })
    assert.deepEqual(await told(), [
      { fromPod: 1, ...rest, ...ends.v4, ...payload(query) },
      { fromPod: 0, ...rest, ...ends.v4, ...payload(answer) },
      { fromPod: 1, ...rest, ...ends.v6, ...payload(query) },
      { fromPod: 0, ...rest, ...ends.v6, ...payload(answer) },
    ])
    assert.equal(await seen(), 4)
  })

  it('tells what TCP carries, and not its own packets', async () => {
    const ends = { from: POD4, to: SERVER4, ...tcpTo }
    for (const tcpOptionBytes of [0, 12]) counted.send(tcp({ ...ends, tcpOptionBytes, payload: withLength(query) }))
    for (const flags of ['S', 'A', 'FA', 'R']) counted.send(tcp({ ...ends, flags, sequence: 100 }))
    const payloads = (await told()).map(({ protocol, payload }) => [protocol, Buffer.from(payload)])
    assert.deepEqual(payloads, Array(2).fill([Protocol.tcp, withLength(query)]))
    assert.equal(await seen(), 6)
  })

  it('tells nothing else that is sent or received, and counts it', async () => {
    const others = [
      udp({ from: POD4, to: SERVER4, sourcePort: 40_000, destinationPort: 5353, payload: query }),
      udp({ from: POD4, to: SERVER4, sourcePort: 53, destinationPort: 40_000, payload: answer }),
      udp({ from: POD6, to: SERVER6, sourcePort: 40_000, destinationPort: 443, payload: query }),
      // Where UDP has its ports they have numbers of their own, of other protocols: 53 both.
      ip(Protocol.sctp, { from: POD4, to: SERVER4, payload: Buffer.from('00350035000000000000000000000000', 'hex') }),
      ip(Protocol.gre, { from: POD6, to: SERVER6, payload: Buffer.from('00350035000000000000000000000000', 'hex') }),
      asked({ fragment: { offset: 800, more: false } }),
      // The dispatcher takes the end of its options for the port.
      patched(udp({ from: POD4, to: SERVER4, ...ports(443), optionBytes: 4, payload: query }), 36, 0, 53),
    ]
    for (const packet of others) counted.send(packet)
    counted.receive(asked({ from: SERVER4, to: POD4 }))
    assert.deepEqual(await told(), [])
    assert.equal(await seen(), others.length + 1)
  })

  it('tells the first fragment, as cut', async () => {
    counted.receive(answered({ fragment: { offset: 0, more: true } }))
    assert.deepEqual(
      (await told()).map(({ cut }) => cut),
      [1],
    )
  })

  it('leaves out what is only padding', async () => {
    const short = Buffer.from('0123456789abcdef', 'hex')
    counted.send(padded(asked({ payload: short }), 90))
    assert.deepEqual(
      (await told()).map(({ payload }) => Buffer.from(payload)),
      [short],
    )
  })

  it('tells nothing of headers that say more than there is', async () => {
    const lying = Buffer.from(asked())
    lying.writeUInt16BE(1500, 14 + 2)
    counted.send(lying)
    const rows = await told()
    assert.deepEqual(
      rows.map(({ payload, cut }) => [payload.length, cut]),
      [[query.length, 1]],
    )
    for (let length = 34; length < 42; length++) counted.send(asked().subarray(0, length))
    assert.deepEqual(await told(), [])
  })

  it('gives one interface a quarter of the ring between two readings, and counts what is lost', async () => {
    const before = (await dns.read()).lost
    const packet = asked({ payload: Buffer.alloc(1000) })
    counted.send(packet, { repeat: 500 })
    const batch = await dns.read()
    // The reader is woken half-way, and may come before the end.
    assert.ok(batch.length >= Math.floor(SHARE_BYTES / (HEAD_BYTES + 1000)), `${batch.length}`)
    assert.equal(batch.lost - before, 500 - batch.length)
    counted.send(packet)
    assert.equal((await told()).length, 1)
  })

  it('has room for another interface when one floods', async () => {
    const { b: other } = await namespaces.createPair()
    const second = await CountedInterface.attach(counted.source, other.path)
    counted.send(asked({ payload: Buffer.alloc(1000) }), { repeat: 1_500_000 })
    second.send(asked())
    const batch = await dns.read()
    const ofFirst = [...batch.interfaceSlot].filter(slot => slot === counted.interfaceSlot)
    assert.ok(ofFirst.length <= MOST_BYTES_OF_ONE / (HEAD_BYTES + 1000), `${ofFirst.length}`)
    const ofSecond = [...batch.interfaceSlot].filter(slot => slot === second.interfaceSlot)
    assert.equal(ofSecond.length, 1)
    await counted.source.detach(second.interfaceSlot)
  })

  it('counts every packet once while nothing can be told', async () => {
    await seen()
    counted.send(asked({ payload: Buffer.alloc(1000) }), { repeat: 3000 })
    assert.equal(await seen(), 3000)
  })

  it('is not there unless asked for', async () => {
    const { a } = await namespaces.createPair()
    const without = await CountedInterface.open(a.path)
    try {
      await assert.rejects(without.source.openDns(), /load dns\.bpf\.o/)
      const { programs, maps } = await without.source.inspect()
      const names = [...programs, ...maps].map(({ name }) => name).filter(name => name.startsWith('dns'))
      assert.deepEqual(names, [])
    } finally {
      await without.close()
    }
  })
})
