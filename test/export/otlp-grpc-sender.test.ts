import assert from 'node:assert/strict'
import { createServer, constants as http2, type ServerHttp2Stream } from 'node:http2'
import { inspect } from 'node:util'
import { status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { OtlpTarget } from '../../lib/config/otlp-exporters.ts'
import { type Signal, signals } from '../../lib/config/signal.ts'
import { defaultTls } from '../../lib/config/tls.ts'
import type { EncodedRequest } from '../../lib/encode/encoded-request.ts'
import { OtlpGrpcSender } from '../../lib/export/otlp-grpc-sender.ts'
import type { SendOutcome } from '../../lib/export/sender.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { GrpcReceiver, partialSuccess, RawReceiver, retryInfo } from '../support/otlp-receivers.ts'

let endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.reverse()) await end()
  endings = []
})

const defaults = { headers: {}, compression: 'none', timeoutMs: 5000, tls: { ...defaultTls, insecure: true } } as const

function senderTo(port: number, more: Partial<OtlpTarget> = {}): OtlpGrpcSender {
  const target: OtlpTarget = { endpoint: `http://127.0.0.1:${port}`, ...defaults, ...more }
  const sender = new OtlpGrpcSender({ targets: { metrics: target, traces: target, logs: target }, clock: systemClock })
  endings.push(() => sender.close())
  return sender
}

function request(signal: Signal = 'traces', items = 5): EncodedRequest {
  return { signal, body: Buffer.from(`of ${signal}`), items }
}

function messageOf(outcome: SendOutcome): string {
  assert.notEqual(outcome.kind, 'delivered')
  return outcome.kind === 'delivered' ? '' : outcome.error.message
}

describe('otlp_grpc sender', () => {
  let receiver: GrpcReceiver

  beforeEach(async () => {
    receiver = new GrpcReceiver()
    await receiver.start()
    endings.push(() => receiver.stop())
  })

  it('takes each signal to its own service, as it was encoded, with the headers', async () => {
    const sender = senderTo(receiver.port, { headers: { authorization: 'Bearer abc' } })
    for (const signal of signals) {
      assert.deepEqual(await sender.send(request(signal)), { kind: 'delivered', rejected: 0 })
      const call = receiver.calls.at(-1)!
      assert.equal(call.signal, signal)
      assert.equal(call.body.toString(), `of ${signal}`)
      assert.deepEqual(call.metadata.get('authorization'), ['Bearer abc'])
    }
  })

  it('counts what a receiver rejected, and never more than there was', async () => {
    const sender = senderTo(receiver.port)
    for (const signal of signals) {
      receiver.answer = { response: partialSuccess(3, 'too old') }
      assert.deepEqual(await sender.send(request(signal)), { kind: 'delivered', rejected: 3, message: 'too old' })
      receiver.answer = { response: partialSuccess(300) }
      assert.deepEqual(await sender.send(request(signal)), { kind: 'delivered', rejected: 5 })
      receiver.answer = { response: partialSuccess(0, 'prefer gzip') }
      assert.deepEqual(await sender.send(request(signal)), { kind: 'delivered', rejected: 0, message: 'prefer gzip' })
    }
  })

  it('takes a success for one when nobody can read the answer', async () => {
    receiver.answer = { response: Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]) }
    assert.deepEqual(await senderTo(receiver.port).send(request()), { kind: 'delivered', rejected: 0 })
  })

  it('tells what may be sent again from what may not, as the specification does', async () => {
    const sender = senderTo(receiver.port)
    const retryable: (string | undefined)[] = [
      'CANCELLED',
      'DEADLINE_EXCEEDED',
      'ABORTED',
      'OUT_OF_RANGE',
      'UNAVAILABLE',
      'DATA_LOSS',
    ]
    for (let code = 1; code <= 16; code++) {
      receiver.answer = { code, details: 'because' }
      const { kind } = await sender.send(request())
      assert.equal(kind, retryable.includes(status[code]) ? 'retry' : 'refused', `code ${code}`)
    }
  })

  it('comes again when a receiver that has no room says when', async () => {
    const sender = senderTo(receiver.port)
    receiver.answer = { code: status.RESOURCE_EXHAUSTED, details: 'no room' }
    assert.equal((await sender.send(request())).kind, 'refused')
    receiver.answer = { ...receiver.answer, statusDetails: retryInfo(7, 500_000_000) }
    const outcome = await sender.send(request())
    assert.deepEqual([outcome.kind, outcome.kind === 'retry' && outcome.afterMs], ['retry', 7500])
    receiver.answer = { code: status.UNAVAILABLE, statusDetails: retryInfo(2) }
    const unavailable = await sender.send(request())
    assert.equal(unavailable.kind === 'retry' && unavailable.afterMs, 2000)
    receiver.answer = { code: status.UNAVAILABLE, statusDetails: Buffer.from([0x1a, 0xff]) }
    assert.equal((await sender.send(request())).kind, 'retry')
  })

  it('shows no header’s value, whatever a receiver quotes', async () => {
    const headers = { authorization: 'Bearer geheim-token', 'x-key': 'sesame-open' }
    const sender = senderTo(receiver.port, { headers })
    receiver.answer = {
      code: status.UNAUTHENTICATED,
      details: 'Bearer geheim-token is no good, nor is geheim-token\u001b[2J with sesame-open',
    }
    const outcome = await sender.send(request())
    const all = inspect(outcome, { depth: 9, showHidden: true })
    assert.doesNotMatch(all, /geheim|sesame/)
    assert.ok(!messageOf(outcome).includes('\u001b'))
    assert.match(messageOf(outcome), /did not let us in: \[REDACTED\] is no good, nor is \[REDACTED\]\\u001b/)
    receiver.answer = { response: partialSuccess(1, 'for sesame-open') }
    const partial = await sender.send(request())
    assert.equal(partial.kind === 'delivered' && partial.message, 'for [REDACTED]')
  })

  it('names the signal that a receiver does not take', async () => {
    receiver.answer = { code: status.UNIMPLEMENTED, details: 'unknown service' }
    const message = messageOf(await senderTo(receiver.port).send(request('logs')))
    assert.match(message, /does not take OTLP logs: unknown service; check the port, gRPC is usually 4317/)
  })

  it('does not wait for what another signal waits for', async () => {
    const sender = senderTo(receiver.port)
    const silent = new RawReceiver()
    endings.push(() => silent.stop())
    const target = { endpoint: `http://127.0.0.1:${await silent.start()}`, ...defaults, timeoutMs: 60_000 }
    const traces = { ...target, endpoint: `http://127.0.0.1:${receiver.port}` }
    const both = new OtlpGrpcSender({ targets: { logs: target, traces }, clock: systemClock })
    const waiting = both.send(request('logs'))
    assert.equal((await both.send(request('traces'))).kind, 'delivered')
    await both.close()
    assert.equal((await waiting).kind, 'retry')
    assert.equal((await sender.send(request())).kind, 'delivered')
  })
})

describe('otlp_grpc sender, when connections break', () => {
  it('may send again what nobody took, and says why', async () => {
    const raw = new RawReceiver()
    const port = await raw.start()
    raw.stop()
    assert.equal(messageOf(await senderTo(port).send(request())), `127.0.0.1:${port} refused the connection`)
    const nowhere = await senderTo(0, { endpoint: 'http://no-such-host.invalid:4317' }).send(request())
    assert.equal(nowhere.kind, 'retry')
    assert.match(messageOf(nowhere), /is not a name that resolves to an address/)
  })

  it('gives up waiting, dials anew and gets through', async () => {
    const silent = new RawReceiver()
    const port = await silent.start()
    const sender = senderTo(port, { timeoutMs: 200 })
    const outcome = await sender.send(request())
    assert.deepEqual([outcome.kind, messageOf(outcome)], ['retry', `127.0.0.1:${port} did not answer in time`])
    silent.stop()
    const receiver = new GrpcReceiver()
    await receiver.start(undefined, port)
    endings.push(() => receiver.stop())
    assert.equal((await sender.send(request())).kind, 'delivered')
  })

  it('may send again what was on its way when the connection was reset, at every point of it', async () => {
    const receiver = new GrpcReceiver()
    await receiver.start()
    endings.push(() => receiver.stop())
    const body = Buffer.alloc(2 * 1024 * 1024, 7)
    for (const bytes of [1, 100, 20_000, 60_000]) {
      let seen = 0
      const resetting = new RawReceiver(socket => {
        socket.on('data', chunk => {
          seen += chunk.length
          if (seen >= bytes) socket.resetAndDestroy()
        })
        // HTTP/2 SETTINGS, so that the client goes on.
        socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]))
      })
      const sender = senderTo(await resetting.start())
      const outcome = await sender.send({ signal: 'traces', body, items: 1 })
      assert.equal(outcome.kind, 'retry', `after ${bytes} bytes: ${messageOf(outcome)}`)
      resetting.stop()
    }
  })

  it('may send again what a proxy answers for its receiver', async () => {
    for (const [httpStatus, kind] of [
      [502, 'retry'],
      [503, 'retry'],
      [429, 'retry'],
      [403, 'refused'],
      [404, 'refused'],
    ] as const) {
      const server = createServer()
      server.on('stream', (stream: ServerHttp2Stream) => stream.respond({ ':status': httpStatus }, { endStream: true }))
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      endings.push(() => server.close())
      const sender = senderTo((server.address() as { port: number }).port)
      assert.equal((await sender.send(request())).kind, kind, String(httpStatus))
      await sender.close()
    }
  })

  it('may send again what was on a stream that was broken off without an answer', async () => {
    for (const code of [http2.NGHTTP2_INTERNAL_ERROR, http2.NGHTTP2_ENHANCE_YOUR_CALM, http2.NGHTTP2_PROTOCOL_ERROR]) {
      const server = createServer()
      server.on('stream', (stream: ServerHttp2Stream) => {
        stream.on('error', () => {})
        stream.close(code)
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      endings.push(() => server.close())
      const sender = senderTo((server.address() as { port: number }).port)
      const outcome = await sender.send(request())
      assert.equal(outcome.kind, 'retry', `code ${code}: ${messageOf(outcome)}`)
      await sender.close()
    }
  })

  it('ends at once while a receiver keeps it waiting', async () => {
    const silent = new RawReceiver()
    const sender = senderTo(await silent.start(), { timeoutMs: 60_000 })
    endings.push(() => silent.stop())
    const waiting = sender.send(request())
    await sender.close()
    assert.equal((await waiting).kind, 'retry')
  })
})
