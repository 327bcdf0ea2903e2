import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { OtlpTarget } from '../../lib/config/otlp-exporters.ts'
import { type Signal, signals } from '../../lib/config/signal.ts'
import { defaultTls } from '../../lib/config/tls.ts'
import type { EncodedRequest } from '../../lib/encode/encoded-request.ts'
import { OtlpHttpSender } from '../../lib/export/otlp-http-sender.ts'
import type { SendOutcome } from '../../lib/export/sender.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { HttpReceiver, partialSuccess, RawReceiver, retryInfo } from '../support/otlp-receivers.ts'

let endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.reverse()) await end()
  endings = []
})

const defaults = { headers: {}, compression: 'none', timeoutMs: 5000, tls: defaultTls } as const

interface Made extends Partial<Omit<OtlpTarget, 'endpoint'>> {
  readonly encoding?: 'proto' | 'json'
  readonly clock?: typeof systemClock
}

function senderTo(base: string, { encoding = 'proto', clock = systemClock, ...more }: Made = {}): OtlpHttpSender {
  const target = (signal: Signal): OtlpTarget => ({ endpoint: `${base}/v1/${signal}`, ...defaults, ...more })
  const targets = { metrics: target('metrics'), traces: target('traces'), logs: target('logs') }
  const sender = new OtlpHttpSender({ targets, encoding, clock })
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

describe('otlp_http sender', () => {
  let receiver: HttpReceiver
  let base: string

  beforeEach(async () => {
    receiver = new HttpReceiver()
    await receiver.start()
    base = `http://127.0.0.1:${receiver.port}`
    endings.push(() => receiver.stop())
  })

  it('posts each signal to its own path, as it was encoded, with the headers, on one connection', async () => {
    const sender = senderTo(base, { headers: { authorization: 'Bearer abc', 'content-type': 'text/html' } })
    for (const signal of [...signals, ...signals]) {
      assert.deepEqual(await sender.send(request(signal)), { kind: 'delivered', rejected: 0 })
      const { path, headers, body } = receiver.requests.at(-1)!
      assert.deepEqual([path, body.toString()], [`/v1/${signal}`, `of ${signal}`])
      assert.equal(headers.authorization, 'Bearer abc')
      assert.equal(headers['content-type'], 'application/x-protobuf')
      assert.equal(headers['content-encoding'], undefined)
    }
    const ofTraces = receiver.requests.filter(({ path }) => path === '/v1/traces')
    assert.equal(ofTraces[0]!.connection, ofTraces[1]!.connection)
  })

  it('says that it is JSON, and zips when asked to', async () => {
    await senderTo(base, { encoding: 'json', compression: 'gzip' }).send(request('logs'))
    const { headers, body } = receiver.requests[0]!
    assert.deepEqual([headers['content-type'], headers['content-encoding']], ['application/json', 'gzip'])
    assert.equal(gunzipSync(body).toString(), 'of logs')
  })

  it('takes user and password from the URL, and shows neither', async () => {
    const sender = senderTo(`http://mallory:s3cret%21pw@127.0.0.1:${receiver.port}`)
    receiver.answer = response => response.writeHead(401, { 'content-type': 'text/plain' }).end('not s3cret!pw')
    const outcome = await sender.send(request())
    const sent = Buffer.from(receiver.requests[0]!.headers.authorization!.split(' ')[1]!, 'base64').toString()
    assert.equal(sent, 'mallory:s3cret!pw')
    assert.doesNotMatch(inspect(outcome, { depth: 9, showHidden: true }), /mallory|s3cret/)
    assert.match(messageOf(outcome), /did not let us in \(401\): not \[REDACTED\]; check headers and TLS/)
  })

  it('counts what a receiver rejected, in both encodings', async () => {
    for (const signal of signals) {
      receiver.answer = response => response.end(partialSuccess(3, 'too old'))
      const rejected = { kind: 'delivered', rejected: 3, message: 'too old' }
      assert.deepEqual(await senderTo(base).send(request(signal)), rejected)
      const key = { metrics: 'rejectedDataPoints', traces: 'rejectedSpans', logs: 'rejectedLogRecords' }[signal]
      const partialSuccessJson = JSON.stringify({ partialSuccess: { [key]: '3', errorMessage: 'too old' } })
      receiver.answer = response => response.end(partialSuccessJson)
      assert.deepEqual(await senderTo(base, { encoding: 'json' }).send(request(signal)), rejected)
    }
  })

  it('takes a success for one when nobody can read the answer, or it breaks off', async () => {
    receiver.answer = response => response.end(Buffer.from([0xff, 0xff]))
    assert.deepEqual(await senderTo(base).send(request()), { kind: 'delivered', rejected: 0 })
    receiver.answer = response => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
      setTimeout(() => response.destroy(), 20)
    }
    assert.deepEqual(await senderTo(base).send(request()), { kind: 'delivered', rejected: 0 })
  })

  it('tells what may be sent again from what may not, as the specification does', async () => {
    const sender = senderTo(base)
    for (const code of [200, 202, 301, 400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 501, 502, 503, 504, 505]) {
      receiver.answer = response => response.writeHead(code).end()
      const wanted = code < 300 ? 'delivered' : [429, 502, 503, 504].includes(code) ? 'retry' : 'refused'
      assert.equal((await sender.send(request())).kind, wanted, `status ${code}`)
    }
  })

  it('says why: from a status in protobuf, in JSON, from plain text, and where it is to go', async () => {
    const says = async (code: number, headers: Record<string, string>, body: string | Buffer) => {
      receiver.answer = response => response.writeHead(code, headers).end(body)
      return messageOf(await senderTo(base).send(request()))
    }
    const at = `${base}/v1/traces`
    const protobuf = { 'content-type': 'application/x-protobuf' }
    assert.equal(await says(400, protobuf, retryInfo(1, 0, 'no resource')), `${at} answered 400: no resource`)
    const json = { 'content-type': 'application/json' }
    assert.equal(await says(400, json, '{"message":"no scope"}'), `${at} answered 400: no scope`)
    assert.equal(await says(400, json, '{"message'), `${at} answered 400: Bad Request`)
    assert.match(
      await says(404, { 'content-type': 'text/plain' }, '404 not found\n'),
      /check port and path, HTTP is usu/,
    )
    assert.match(
      await says(301, { location: 'https://other/v1/traces' }, ''),
      /elsewhere: https:\/\/other\/v1\/traces; wr/,
    )
    const long = await says(500, { 'content-type': 'text/plain' }, 'x'.repeat(10_000_000))
    assert.ok(long.length < 600)
  })

  it('does not come again before the receiver’s time', async () => {
    const nowMs = Date.parse('2026-01-01T00:00:00Z')
    const sender = senderTo(base, { clock: { ...systemClock, nowMs: () => nowMs } })
    const afterMs = async (code: number, headers: Record<string, string>) => {
      receiver.answer = response => {
        response.sendDate = false
        response.writeHead(code, headers).end()
      }
      const outcome = await sender.send(request())
      return outcome.kind === 'retry' ? outcome.afterMs : outcome.kind
    }
    assert.equal(await afterMs(503, {}), undefined)
    assert.equal(await afterMs(503, { 'retry-after': '120' }), 120_000)
    assert.equal(await afterMs(429, { 'retry-after': '0' }), 0)
    assert.equal(await afterMs(429, { 'retry-after': 'soon' }), undefined)
    assert.equal(await afterMs(503, { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }), 30_000)
    assert.equal(await afterMs(503, { 'retry-after': 'Wed, 31 Dec 2025 23:59:00 GMT' }), 0)
    const anotherClock = { 'retry-after': 'Thu, 01 Jan 2026 08:00:30 GMT', date: 'Thu, 01 Jan 2026 08:00:00 GMT' }
    assert.equal(await afterMs(503, anotherClock), 30_000)
    assert.equal(await afterMs(500, { 'retry-after': '120' }), 'refused')
  })

  it('sends again at once what met a kept connection that was closed just then', async () => {
    const sender = senderTo(base)
    assert.equal((await sender.send(request())).kind, 'delivered')
    let resets = 0
    receiver.answer = (response, { connection }) => {
      if (connection > 0) return void response.end()
      resets++
      response.socket!.resetAndDestroy()
    }
    assert.equal((await sender.send(request())).kind, 'delivered')
    assert.equal(resets, 1)
  })
})

describe('otlp_http sender, when connections break', () => {
  const urlOf = (port: number) => `http://127.0.0.1:${port}`

  it('may send again what nobody took, and says why', async () => {
    const raw = new RawReceiver()
    const port = await raw.start()
    raw.stop()
    const outcome = await senderTo(urlOf(port)).send(request())
    assert.deepEqual([outcome.kind, messageOf(outcome)], ['retry', `${urlOf(port)}/v1/traces refused the connection`])
    const nowhere = await senderTo('http://no-such-host.invalid:4318').send(request())
    assert.equal(nowhere.kind, 'retry')
    assert.match(messageOf(nowhere), /is not a name that resolves to an address/)
  })

  it('gives up on a receiver that never answers, or a byte at a time', async () => {
    const silent = new RawReceiver()
    const slow = new RawReceiver(socket => {
      const timer = setInterval(() => socket.write('H'), 30)
      socket.once('close', () => clearInterval(timer))
    })
    for (const raw of [silent, slow]) {
      const url = urlOf(await raw.start())
      endings.push(() => raw.stop())
      const outcome = await senderTo(url, { timeoutMs: 200 }).send(request())
      assert.equal(outcome.kind, 'retry')
    }
  })

  it('may send again what was on its way when the connection was reset', async () => {
    const body = Buffer.alloc(2 * 1024 * 1024, 7)
    for (const bytes of [1, 1000, 1_000_000]) {
      let seen = 0
      const resetting = new RawReceiver(socket =>
        socket.on('data', chunk => {
          seen += chunk.length
          if (seen >= bytes) socket.resetAndDestroy()
        }),
      )
      const outcome = await senderTo(urlOf(await resetting.start())).send({ signal: 'traces', body, items: 1 })
      assert.equal(outcome.kind, 'retry', `after ${bytes} bytes`)
      resetting.stop()
    }
  })

  it('ends at once while a receiver keeps it waiting', async () => {
    const silent = new RawReceiver()
    const sender = senderTo(urlOf(await silent.start()), { timeoutMs: 60_000 })
    endings.push(() => silent.stop())
    const waiting = sender.send(request())
    await sender.close()
    assert.equal((await waiting).kind, 'retry')
  })
})
