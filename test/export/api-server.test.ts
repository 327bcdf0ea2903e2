import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { type ApiServer, startApiServer } from '../../lib/export/api-server.ts'
import type { FlowRecord } from '../../lib/signals/flow-record.ts'
import { capturedLog } from '../support/captured-log.ts'
import { flowRecord, status, TestFeed } from '../support/flow-records.ts'

let folder = ''
let path = ''
let server: ApiServer | undefined
const captured = capturedLog()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-api-'))
  path = join(folder, 'run', 'podweir.sock')
  captured.messages.length = 0
})

afterEach(async () => {
  await server?.close()
  server = undefined
  rmSync(folder, { recursive: true })
})

async function serve(feed = new TestFeed()): Promise<TestFeed> {
  server = await startApiServer({ endpoint: `unix://${path}`, feed, log: captured.log })
  return feed
}

async function get(target: string, method = 'GET'): Promise<IncomingMessage> {
  const asked = request({ socketPath: path, path: target, method, agent: false })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return response
}

async function json(target: string, method?: string): Promise<[number | undefined, { error?: string }]> {
  const response = await get(target, method)
  return [response.statusCode, JSON.parse(await text(response))]
}

/** Waits until it is true. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5)
}

describe('API', () => {
  it('opens a socket that only its owner may use, in a folder of its own', async () => {
    await serve()
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(statSync(join(folder, 'run')).mode & 0o777, 0o700)
  })

  it('answers /v1/status with JSON', async () => {
    await serve()
    const response = await get('/v1/status')
    assert.match(response.headers['content-type'] ?? '', /^application\/json/)
    assert.deepEqual(JSON.parse(await text(response)), status)
  })

  it('answers /v1/flows with a line per flow, and ends', async () => {
    const records = Array.from({ length: 5_000 }, (_, i) => flowRecord({ requestBytes: i }))
    await serve(new TestFeed(records))
    const response = await get('/v1/flows')
    assert.match(response.headers['content-type'] ?? '', /^application\/jsonl/)
    const lines = (await text(response)).trimEnd().split('\n')
    assert.deepEqual(
      lines.map(line => JSON.parse(line)),
      records,
    )
  })

  it('follows with a line for each flow that changed, until the client goes', async () => {
    const feed = await serve(new TestFeed([flowRecord({ requestBytes: 1 })]))
    const response = await get('/v1/flows?follow=true')
    let got = ''
    response.setEncoding('utf8').on('data', chunk => {
      got += chunk
    })
    const lines = () => got.split('\n').length - 1
    await until(() => lines() === 1)
    feed.drained([])
    feed.drained([flowRecord({ requestBytes: 2 }), flowRecord({ requestBytes: 3 })])
    await until(() => lines() === 3)
    const bytes = got
      .trimEnd()
      .split('\n')
      .map(line => (JSON.parse(line) as FlowRecord).requestBytes)
    assert.deepEqual(bytes, [1, 2, 3])
    response.destroy()
    await until(() => feed.followers === 0)
  })

  it('filters, what was there and what changes', async () => {
    const flow = (requestBytes: number, transport = 'tcp') => flowRecord({ requestBytes, transport })
    const feed = await serve(new TestFeed([flow(1), flow(2, 'udp')]))
    const response = await get(`/v1/flows?follow=true&filter=${encodeURIComponent('shop -proto:udp')}`)
    let got = ''
    response.setEncoding('utf8').on('data', chunk => {
      got += chunk
    })
    await until(() => got.includes('"requestBytes":1,'))
    feed.drained([flow(3, 'udp')])
    feed.drained([flow(4, 'udp'), flow(5)])
    await until(() => got.includes('"requestBytes":5,'))
    assert.doesNotMatch(got, /udp/)
    response.destroy()
    await until(() => feed.followers === 0)
  })

  it('refuses a filter that is none, and says where', async () => {
    await serve()
    const response = await get(`/v1/flows?filter=${encodeURIComponent('src.prt:80')}`)
    assert.equal(response.statusCode, 400)
    assert.match(
      JSON.parse(await text(response)).error,
      /^filter: unknown key 'prt' \(did you mean 'port'\?\) at column 5; allowed: ns, /,
    )
  })

  it('misses nothing that changes while the snapshot is being sent', async () => {
    const feed = new TestFeed()
    feed.records = (function* () {
      for (let i = 0; i < 20_000; i++) {
        if (i === 19_999) feed.drained([flowRecord({ requestBytes: -1 })])
        yield flowRecord({ requestBytes: i })
      }
    })()
    await serve(feed)
    const response = await get('/v1/flows?follow=true')
    let last = ''
    response.setEncoding('utf8').on('data', chunk => {
      last = (last + chunk).slice(-1000)
    })
    await until(() => last.includes('"requestBytes":-1'))
    response.destroy()
  })

  it('drops a client that leaves more than 4 MiB unread, and says so', async () => {
    const feed = await serve()
    const socket = connect(path)
    socket.write('GET /v1/flows?follow=true HTTP/1.1\r\nHost: podweir\r\n\r\n')
    await until(() => feed.followers === 1)
    socket.pause()
    const batch = Array.from({ length: 2_000 }, () => flowRecord())
    const batchBytes = JSON.stringify(batch).length
    let batches = 0
    for (; feed.followers === 1 && batches < 100; batches++) {
      feed.drained(batch)
      await delay(2)
    }
    const mebibytes = (batches * batchBytes) / 2 ** 20
    assert.ok(mebibytes > 4 && mebibytes < 8, `${mebibytes} MiB were taken`)
    await until(() => captured.messages.length === 1)
    assert.match(captured.messages[0] ?? '', /dropped because it reads too slowly/)
    socket.destroy()
  })

  it('sends a client that reads a batch of more than 4 MiB', async () => {
    const feed = await serve()
    const response = await get('/v1/flows?follow=true')
    let bytes = 0
    response.on('data', chunk => {
      bytes += chunk.length
    })
    await until(() => feed.followers === 1)
    const batch = Array.from({ length: 15_000 }, () => flowRecord())
    const batchBytes = batch.length * (JSON.stringify(batch[0]).length + 1)
    assert.ok(batchBytes > 6 * 2 ** 20)
    feed.drained(batch)
    await until(() => bytes === batchBytes)
    feed.drained(batch)
    await until(() => bytes === 2 * batchBytes)
    response.destroy()
  })

  it('refuses other paths, methods and queries, each with its reason', async () => {
    await serve()
    const [notFound, message] = await json('/v2/flows')
    assert.deepEqual([notFound, message.error], [404, 'no such path; there are /v1/status and /v1/flows'])
    assert.equal((await json('/v1/flows', 'POST'))[0], 405)
    assert.equal((await get('/v1/status', 'DELETE')).headers.allow, 'GET')
    for (const target of [
      '/v1/flows?follow=maybe',
      '/v1/flows?follow',
      '/v1/flows?limit=3',
      '/v1/status?follow=true',
      '//',
    ])
      assert.equal((await json(target))[0], 400, target)
  })

  it('ends its clients and removes the socket when it closes', async () => {
    await serve()
    const response = await get('/v1/flows?follow=true')
    const gone = once(response, 'error')
    await server?.close()
    await gone
    assert.ok(!existsSync(path))
  })
})

describe('the API’s socket', () => {
  it('replaces what a killed agent left', async () => {
    await serve()
    await server?.close()
    const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    await once(spawn(process.execPath, ['-e', program]), 'exit')
    assert.ok(statSync(path).isSocket())
    await serve()
    assert.equal((await json('/v1/status'))[0], 200)
  })

  it('is not taken from an agent that runs', async () => {
    await serve()
    const second = startApiServer({ endpoint: `unix://${path}`, feed: new TestFeed(), log: captured.log })
    await assert.rejects(second, {
      name: 'Failure',
      subject: path,
      message: /endpoint in use.*extensions\.api\.endpoint/,
    })
    assert.equal((await json('/v1/status'))[0], 200)
  })

  it('leaves a file that is no socket alone', async () => {
    path = join(folder, 'notes')
    writeFileSync(path, 'mine')
    await assert.rejects(serve(), { name: 'Failure', message: /not a socket/ })
    assert.ok(statSync(path).isFile())
  })

  it('is not TCP until there is a token', async () => {
    const tcp = startApiServer({ endpoint: 'http://127.0.0.1:9411', feed: new TestFeed(), log: captured.log })
    await assert.rejects(tcp, { name: 'Failure', exitCode: 2, message: /needs a token/ })
  })
})
