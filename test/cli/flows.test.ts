import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { type FlowsOptions, run } from '../../lib/cli/flows.ts'
import { type ApiServer, startApiServer } from '../../lib/export/api-server.ts'
import type { FlowRecord } from '../../lib/signals/flow-record.ts'
import { capturedLog } from '../support/captured-log.ts'
import { flowRecord, TestFeed } from '../support/flow-records.ts'

const main = fileURLToPath(new URL('../../lib/main.ts', import.meta.url))
const dns = flowRecord({ transport: 'udp', destination: { address: '10.0.0.53', port: 53 }, opened: 0 })
let folder = ''
let socket = ''
let server: ApiServer | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-flows-'))
  socket = join(folder, 'podweir.sock')
})

afterEach(async () => {
  await server?.close()
  server = undefined
  rmSync(folder, { recursive: true })
})

async function serve(records: Iterable<FlowRecord>): Promise<TestFeed> {
  const feed = new TestFeed(records)
  server = await startApiServer({ endpoint: `unix://${socket}`, feed, log: capturedLog().log })
  return feed
}

async function printed(options: Partial<FlowsOptions>): Promise<string> {
  const out = new PassThrough()
  assert.equal(await run({ output: 'table', follow: false, socket, out, ...options }), 0)
  return text(out.end())
}

describe('podweir flows', () => {
  it('prints a table with a title and a line per flow', async () => {
    await serve([flowRecord(), dns])
    const lines = (await printed({ columns: 120 })).trimEnd().split('\n')
    assert.equal(lines.length, 3)
    assert.match(lines[0] ?? '', /^TIME +SOURCE +DESTINATION +PROTO +SENT +RECEIVED +RTT +STATE$/)
    assert.match(lines[1] ?? '', /shop\/frontend-7d +→ +shop\/cart:7070 +tcp +14\.2 KB +3\.1 KB +- +active$/)
    assert.match(lines[2] ?? '', /→ +10\.0\.0\.53:53 +udp/)
  })

  it('prints the flows alone that the filter fits', async () => {
    await serve([flowRecord(), dns])
    const lines = (await printed({ output: 'jsonl', filter: 'proto:udp dst.port:53' })).trimEnd().split('\n')
    assert.deepEqual(
      lines.map(line => (JSON.parse(line) as FlowRecord).transport),
      ['udp'],
    )
  })

  it('points at what is wrong with a filter', async () => {
    await assert.rejects(run({ output: 'table', follow: false, socket, filter: 'shop src.prt:80' }), {
      exitCode: 2,
      message: /unknown key 'prt' \(did you mean 'port'\?\)\n {2}shop src\.prt:80\n {11}\^/,
    })
  })

  it('shows a conversation of two pods once in the table, and from both sides with --all and as JSON', async () => {
    await serve([flowRecord(), flowRecord({ observer: 'server', counted: false })])
    const lines = async (options: Partial<FlowsOptions>) => (await printed(options)).trimEnd().split('\n').length
    assert.equal(await lines({}), 2)
    assert.equal(await lines({ all: true }), 3)
    assert.equal(await lines({ output: 'jsonl' }), 2)
  })

  it('prints one JSON array, or a JSON object per line', async () => {
    await serve([flowRecord(), dns])
    assert.deepEqual(JSON.parse(await printed({ output: 'json' })), [flowRecord(), dns])
    const lines = (await printed({ output: 'jsonl', socket: `unix://${socket}` })).trimEnd().split('\n')
    assert.deepEqual(
      lines.map(line => JSON.parse(line)),
      [flowRecord(), dns],
    )
  })

  it('prints those alone with which something is wrong, in every form', async () => {
    await serve([flowRecord(), flowRecord({ problems: ['refused'] }), dns])
    const lines = (await printed({ problems: true, columns: 80 })).trimEnd().split('\n')
    assert.equal(lines.length, 2)
    assert.match(lines[1] ?? '', /✖ refused$/)
    for (const output of ['json', 'jsonl'] as const) {
      const shown = await printed({ problems: true, output })
      assert.deepEqual([shown.includes('refused'), shown.includes('10.0.0.53')], [true, false], output)
    }
    const found = promisify(execFile)(process.execPath, [main, 'flows', '--socket', socket, '-p', '-o', 'jsonl'])
    assert.equal((await found).stdout.trimEnd().split('\n').length, 1)
  })

  it('prints an empty array when there is no flow', async () => {
    await serve([])
    assert.deepEqual(JSON.parse(await printed({ output: 'json' })), [])
  })

  it('lets no name reach the terminal with control characters, in no form', async () => {
    await serve([flowRecord({ source: { pod: 'x\u001b[2J\u009b', address: '10.0.0.1', port: 1 } })])
    for (const output of ['table', 'json', 'jsonl'] as const) {
      const shown = await printed({ output })
      assert.ok(!shown.includes('\u001b') && !shown.includes('\u009b'), output)
      assert.ok(shown.includes('x\\u001b[2J\\u009b'), output)
    }
  })

  it('follows, and fails when the agent ends', async () => {
    const feed = await serve([flowRecord()])
    const out = new PassThrough()
    const running = run({ output: 'jsonl', follow: true, socket, out })
    await once(out, 'data')
    feed.drained([dns])
    const [line] = await once(out, 'data')
    assert.deepEqual(JSON.parse(String(line)), dns)
    await server?.close()
    await assert.rejects(running, { name: 'Failure', exitCode: 1, message: /the agent ended the connection/ })
  })

  it('refuses to follow into one JSON array', async () => {
    await assert.rejects(run({ output: 'json', follow: true, socket }), { name: 'Failure', exitCode: 2 })
  })

  it('says that no agent runs, at which socket, and how to start one', async () => {
    const running = run({ output: 'table', follow: false, socket })
    await assert.rejects(running, { name: 'Failure', exitCode: 1, subject: socket, remedy: /sudo \.\/podweir agent/ })
  })

  it('ends quietly when its reader has enough', async () => {
    await serve(Array.from({ length: 20_000 }, () => flowRecord()))
    const pipe = spawn('sh', ['-c', `${process.execPath} ${main} flows --socket ${socket} -o jsonl | head -n 1`])
    const [out, errors] = [pipe.stdout.toArray(), pipe.stderr.toArray()]
    await once(pipe, 'exit')
    assert.deepEqual(JSON.parse(Buffer.concat(await out).toString()), flowRecord())
    assert.equal(Buffer.concat(await errors).toString(), '')
  })

  it('takes a broken pipe for an end, not for a failure', async () => {
    await serve([flowRecord()])
    const write = (_chunk: unknown, _encoding: unknown, done: (error: Error) => void) =>
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    assert.equal(await run({ output: 'table', follow: false, socket, out: new Writable({ write }) }), 0)
  })

  it('follows to a reader that goes, and ends', async () => {
    const feed = await serve([flowRecord()])
    const child = spawn(process.execPath, [main, 'flows', '--socket', socket, '--follow', '-o', 'jsonl'])
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const exit = once(child, 'exit')
    const feeding = (async () => {
      while (child.exitCode === null) {
        feed.drained([dns])
        await delay(20)
      }
    })()
    assert.deepEqual(await exit, [0, null])
    await feeding
  })

  it('colours a terminal unless NO_COLOR says no', async () => {
    await serve([flowRecord({ problems: ['no reply'] })])
    const command = `${process.execPath} ${main} flows --socket ${socket}`
    const environment = { PATH: process.env.PATH, TERM: 'xterm-256color' }
    // script(1) gives it a terminal.
    const onTerminal = (more: Record<string, string>) =>
      promisify(execFile)('script', ['-qec', command, '/dev/null'], { env: { ...environment, ...more } })
    const [coloured, bare] = [await onTerminal({}), await onTerminal({ NO_COLOR: '1' })]
    assert.ok(coloured.stdout.includes('\u001b[31m✖ no reply'))
    assert.ok(bare.stdout.includes('✖ no reply') && !bare.stdout.includes('\u001b[31m'))
  })
})
