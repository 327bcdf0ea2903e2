import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { InfluxExporterConfig } from '../../lib/config/influx-exporter.ts'
import { InfluxHttpSender } from '../../lib/export/influx-http-sender.ts'
import type { SendOutcome } from '../../lib/export/sender.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { exporterConfig } from '../support/exporter-config.ts'
import { HttpReceiver } from '../support/otlp-receivers.ts'

const lines = 'a,b=c d=1i 1\ne f=2i 2\n'
const request = { signal: 'metrics', body: Buffer.from(lines), items: 2 } as const
const v1 = { version: 'v1', database: 'pods & more' }

type Settings = { readonly endpoint?: string } & Readonly<Record<string, unknown>>

let receiver: HttpReceiver
let senders: InfluxHttpSender[] = []

beforeEach(async () => {
  receiver = new HttpReceiver()
  await receiver.start()
})

afterEach(async () => {
  for (const sender of senders) await sender.close()
  senders = []
  await receiver.stop()
})

function senderOf(settings: Settings): InfluxHttpSender {
  const endpoint = settings.endpoint ?? `http://127.0.0.1:${receiver.port}`
  const config = exporterConfig('influx', { ...settings, endpoint }) as InfluxExporterConfig
  const sender = new InfluxHttpSender(config, systemClock)
  senders.push(sender)
  return sender
}

function answer(status: number, body: string, headers: Record<string, string> = {}): void {
  receiver.answer = response => response.writeHead(status, headers).end(body)
}

async function failure(settings: Settings = v1) {
  const outcome = await senderOf(settings).send(request)
  assert.notEqual(outcome.kind, 'delivered')
  const { kind, error, afterMs } = outcome as Exclude<SendOutcome, { kind: 'delivered' }> & { afterMs?: number }
  return { kind, message: error.message, afterMs }
}

describe('influx by HTTP', () => {
  for (const [name, settings, path, authorization] of [
    ['InfluxDB 1', v1, '/write?db=pods+%26+more&precision=ns', undefined],
    [
      'InfluxDB 1 with a password',
      { ...v1, username: 'u', password: 'pä' },
      '/write?db=pods+%26+more&precision=ns',
      `Basic ${Buffer.from('u:pä').toString('base64')}`,
    ],
    [
      'InfluxDB 2',
      { org: 'o/p', bucket: 'b', token: 't0ken' },
      '/api/v2/write?org=o%2Fp&bucket=b&precision=ns',
      'Token t0ken',
    ],
    [
      'InfluxDB 3',
      { version: 'v3', database: 'd', token: 't0ken' },
      '/api/v3/write_lp?db=d&precision=nanosecond',
      'Bearer t0ken',
    ],
  ] as const)
    it(`asks ${name} as it wants to be asked`, async () => {
      assert.deepEqual(await senderOf(settings).send(request), { kind: 'delivered', rejected: 0 })
      const [{ path: asked, headers, body }] = receiver.requests as [(typeof receiver.requests)[number]]
      assert.deepEqual([asked, headers.authorization], [path, authorization])
      assert.equal(gunzipSync(body).toString(), lines)
      assert.equal(headers['content-encoding'], 'gzip')
    })

  it('takes the endpoint as it is with version none, and keeps the path of others', async () => {
    const base = `http://127.0.0.1:${receiver.port}`
    const headers = { 'X-Key': 'abcdef' }
    await senderOf({ version: 'none', endpoint: `${base}/in?x=1`, headers, compression: 'none' }).send(request)
    await senderOf({ version: 'v1', database: 'd', endpoint: `${base}/influx/?rp=week` }).send(request)
    const [none, below] = receiver.requests
    assert.deepEqual([none!.path, none!.headers['x-key'], none!.body.toString()], ['/in?x=1', 'abcdef', lines])
    assert.equal(below!.path, '/influx/write?rp=week&db=d&precision=ns')
  })

  it('sends nothing where there is no line', async () => {
    const outcome = await senderOf(v1).send({ ...request, body: Buffer.alloc(0) })
    assert.deepEqual([outcome, receiver.requests], [{ kind: 'delivered', rejected: 0 }, []])
  })

  it('says what became of a request of which some lines were taken', async () => {
    const partial = 'partial write: field type conflict: input field "d" on measurement "a" is type float dropped=1'
    for (const [status, said, rejected] of [
      [400, { error: partial }, 1],
      [400, { error: "partial write: unable to parse 'x': missing fields\nunable to parse 'y': bad dropped=0" }, 2],
      [422, { code: 'unprocessable entity', message: `failure writing points to database: ${partial}` }, 1],
      [400, { error: 'partial write of line protocol occurred', data: [{ line_number: 1 }, { line_number: 2 }] }, 2],
      [400, { error: 'partial write: something dropped=900' }, 2],
    ] as const) {
      answer(status, JSON.stringify(said), { 'content-type': 'application/json' })
      const outcome = await senderOf(v1).send(request)
      assert.deepEqual([outcome.kind, 'rejected' in outcome && outcome.rejected], ['delivered', rejected])
      assert.match(('message' in outcome && outcome.message) || '', /^(failure.*)?partial write/)
    }
  })

  it('does not send again what is wrong, and says what to look at', async () => {
    answer(400, '{"error":"unable to parse \'a\': missing fields"}')
    assert.match((await failure()).message, /^http:\/\/127.*\/write\?\[REDACTED\] answered 400: unable to parse 'a'/)
    answer(404, '{"error":"database not found: \\"d\\""}')
    const { kind, message } = await failure()
    assert.equal(kind, 'refused')
    assert.match(message, /has no such place \(404\): database not found: "d"; check database/)
    answer(401, '{"code":"unauthorized","message":"unauthorized access"}')
    assert.match((await failure({ org: 'o', bucket: 'b' })).message, /\(401\): unauthorized access; check token/)
    answer(413, '<html>big</html>', { 'content-type': 'text/html' })
    assert.match((await failure()).message, /has no room for the request \(413\): Payload Too Large$/)
  })

  it('sends again when the receiver wants that, and not before it says', async () => {
    answer(503, '{"error":"timeout"}', { 'retry-after': '7' })
    const { kind, afterMs } = await failure()
    assert.deepEqual([kind, afterMs], ['retry', 7000])
    for (const status of [429, 500, 502, 504]) {
      answer(status, '')
      assert.deepEqual([status, (await failure()).kind], [status, 'retry'])
    }
    const endpoint = `http://127.0.0.1:${receiver.port}`
    await receiver.stop()
    assert.match((await failure({ ...v1, endpoint })).message, /refused the connection$/)
  })

  it('shows neither token nor password', async () => {
    receiver.answer = (response, { headers }) => response.writeHead(401).end(`no: ${headers.authorization} s3cret!`)
    for (const settings of [
      { org: 'o', bucket: 'b', token: 's3cret!' },
      { ...v1, username: 'u', password: 's3cret!' },
    ]) {
      const shown = inspect(await failure(settings))
      assert.match(shown, /REDACTED/)
      assert.doesNotMatch(shown, /s3cret|dTpzM2NyZXQh/)
    }
  })
})
