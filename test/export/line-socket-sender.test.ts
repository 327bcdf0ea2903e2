import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, it } from 'mocha'
import type { InfluxExporterConfig } from '../../lib/config/influx-exporter.ts'
import { datagramsOf } from '../../lib/export/line-datagrams.ts'
import { LineTcpSender, LineUdpSender } from '../../lib/export/line-socket-sender.ts'
import type { SendOutcome } from '../../lib/export/sender.ts'
import { exporterConfig } from '../support/exporter-config.ts'
import { RawReceiver } from '../support/otlp-receivers.ts'
import { freePorts } from '../support/server-process.ts'
import { until } from '../support/until.ts'

const taken: SendOutcome = { kind: 'delivered', rejected: 0 }
let endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.reverse()) await end()
  endings = []
})

function config(transport: 'udp' | 'tcp', port: number, host = '127.0.0.1'): InfluxExporterConfig {
  return exporterConfig('influx', { transport, endpoint: `${host}:${port}`, timeout: '1s' }) as InfluxExporterConfig
}

function request(lines: string) {
  return { signal: 'metrics', body: Buffer.from(lines), items: 1 } as const
}

function manyLines(count: number): string {
  return Array.from({ length: count }, (_, i) => `n,i=${i} value=${i}i ${i}\n`).join('')
}

function messageOf(outcome: SendOutcome): string {
  assert.equal(outcome.kind, 'retry')
  return outcome.kind === 'retry' ? outcome.error.message : ''
}

async function listener(host: string): Promise<{ socket: Socket; datagrams: Buffer[]; port: number }> {
  const socket = createSocket(host === '::1' ? 'udp6' : 'udp4')
  const datagrams: Buffer[] = []
  socket.on('message', datagram => datagrams.push(datagram))
  socket.bind(0, host)
  await once(socket, 'listening')
  return { socket, datagrams, port: socket.address().port }
}

describe('lines in datagrams', () => {
  it('are whole, in order, and fill what a network carries in one piece', () => {
    const lines = manyLines(1000)
    const datagrams = datagramsOf(Buffer.from(lines)).map(datagram => Buffer.from(datagram).toString())
    assert.equal(datagrams.join(''), lines)
    for (const [i, datagram] of datagrams.entries()) {
      assert.ok(datagram.endsWith('\n') && datagram.length <= 1452, datagram)
      if (i + 1 < datagrams.length) assert.ok(datagram.length > 1400)
    }
  })

  it('have one of their own when they are long', () => {
    const long = `${'x'.repeat(2000)}\n`
    const datagrams = datagramsOf(Buffer.from(`a\n${long}b\nc\n`)).map(datagram => Buffer.from(datagram).toString())
    assert.deepEqual(datagrams, ['a\n', long, 'b\nc\n'])
    assert.deepEqual(datagramsOf(Buffer.alloc(0)), [])
  })
})

describe('influx by UDP', () => {
  for (const [host, name] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '[::1]'],
  ] as const)
    it(`sends every line to ${name}`, async () => {
      const { socket, datagrams, port } = await listener(host)
      endings.push(() => socket.close())
      const sender = new LineUdpSender(config('udp', port, name))
      endings.push(() => sender.close())
      const lines = manyLines(2000)
      assert.deepEqual(await sender.send(request(lines)), taken)
      await until('all of it', () => Buffer.concat(datagrams).length === lines.length)
      assert.equal(Buffer.concat(datagrams).toString(), lines)
    })

  it('says when nobody reads there, and goes on when somebody does', async () => {
    const { socket, datagrams, port } = await listener('127.0.0.1')
    socket.close()
    await once(socket, 'close')
    const sender = new LineUdpSender(config('udp', port))
    endings.push(() => sender.close())
    await until('it is told', async () => {
      const outcome = await sender.send(request('a b=1i 1\n'))
      if (outcome.kind === 'delivered') return false
      assert.match(messageOf(outcome), /^127.0.0.1:\d+ refused the connection$/)
      return true
    })
    const again = createSocket('udp4')
    again.on('message', (datagram: Buffer) => datagrams.push(datagram))
    again.bind(port, '127.0.0.1')
    endings.push(() => again.close())
    await once(again, 'listening')
    assert.deepEqual(await sender.send(request('c d=1i 1\n')), taken)
    await until('the datagram', () => datagrams.length > 0)
    assert.equal(datagrams[0]!.toString(), 'c d=1i 1\n')
  })
})

describe('influx by TCP', () => {
  it('has delivered what the other end has read to its end', async () => {
    const read: Buffer[] = []
    const receiver = new RawReceiver(socket => socket.on('data', (chunk: Buffer) => read.push(chunk)))
    const sender = new LineTcpSender(config('tcp', await receiver.start()))
    endings.push(() => receiver.stop())
    const lines = manyLines(50_000)
    assert.deepEqual(await sender.send(request(lines)), taken)
    assert.equal(Buffer.concat(read).toString(), lines)
    assert.deepEqual(await sender.send(request('a b=1i 1\n')), taken)
    assert.ok(Buffer.concat(read).toString().endsWith('\na b=1i 1\n'))
  })

  it('sends again what was cut off, was not read, or found nobody', async () => {
    const resetting = new RawReceiver(socket => socket.once('data', () => socket.resetAndDestroy()))
    const lines = request(manyLines(50_000))
    const port = await resetting.start()
    const sender = new LineTcpSender(config('tcp', port))
    endings.push(() => sender.close())
    assert.match(messageOf(await sender.send(lines)), /is unavailable: .*(ECONNRESET|EPIPE)/)
    resetting.stop()
    assert.match(messageOf(await sender.send(lines)), /refused the connection$/)
    const [free] = await freePorts(1)
    const idle = new RawReceiver(socket => socket.pause())
    endings.push(() => idle.stop())
    const silent = new LineTcpSender(config('tcp', await idle.start(free)))
    assert.match(messageOf(await silent.send(request('a b=1i 1\n'))), /did not answer in time$/)
  })

  it('gives up what is under way when it is closed', async () => {
    const idle = new RawReceiver(socket => socket.pause())
    endings.push(() => idle.stop())
    const sender = new LineTcpSender(config('tcp', await idle.start()))
    const outcome = sender.send(request('a b=1i 1\n'))
    await until('it is connected', () => idle.sockets.length === 1)
    await sender.close()
    assert.match(messageOf(await outcome), /the exporter is closed/)
  })
})
