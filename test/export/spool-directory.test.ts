import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { retryAfter, ScriptedSender } from '../support/scripted-sender.ts'
import { skip } from '../support/skip.ts'
import { assertBalanced, lost, SpooledQueues } from '../support/spooled-queues.ts'

let queues: SpooledQueues

beforeEach(() => {
  queues = new SpooledQueues()
})

afterEach(() => queues.remove())

describe('a spool on a disk that is full', () => {
  it('goes on in memory, leaves no half of a request, and writes again when there is room', async function () {
    this.timeout(30_000)
    if (process.getuid?.() !== 0) skip(this, 'a disk small enough to fill is a tmpfs, which takes root to mount')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'podweir-test', queues.folder])
    try {
      const body = (i: number) => ({ signal: 'traces', items: 1, body: Buffer.alloc(70_000, i) }) as const
      queues.sender.otherwise = () => retryAfter(60_000)
      const queue = await queues.start({ maxBytes: 100_000_000, fsync: 'always' })
      for (let i = 0; i < 8; i++) await queue.push(body(i))
      assert.deepEqual([queue.counts.queue.items, lost(queue)], [8, {}])
      const written = queues.files()
      assert.ok(written.length >= 2 && written.length <= 4, written.join(' '))
      assert.ok(written.every(name => statSync(join(queues.folder, 'otlp_grpc.traces', name)).size === 70_012))
      assert.match(queues.said, /storage: ENOSPC.*; what waits is kept in memory alone/)
      await queues.stop()
      assert.deepEqual(lost(queue), { shutdown: 8 - written.length })
      assertBalanced(queue)
      queues.sender = new ScriptedSender()
      const next = await queues.start()
      await next.drained()
      await next.push(body(9))
      await next.drained()
      assert.equal(next.counts.delivered, written.length + 1)
      assert.deepEqual(
        queues.sender.sent.map(({ body: sent }) => sent[0]),
        [...written.keys(), 9],
      )
      await queues.stop()
    } finally {
      await queues.stop()
      execFileSync('umount', [queues.folder])
    }
  })
})

describe('a spool’s directory', () => {
  it('is one process’s alone, until that ends in whatever way', async function () {
    this.timeout(30_000)
    const holder = new URL('../support/spool-holder.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [holder, queues.folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exit = once(child, 'exit')
    try {
      await once(child.stdout, 'data')
      await assert.rejects(queues.openSpool(), {
        name: 'Failure',
        message: new RegExp(
          `use directory ${queues.folder}: another has it: process ${child.pid}; give each agent a directory`,
        ),
      })
      child.kill('SIGSTOP')
      await assert.rejects(queues.openSpool(), /another has it: it does not say which/)
    } finally {
      child.kill('SIGKILL')
      await exit
    }
    await queues.openSpool()
    assert.deepEqual(readdirSync(queues.folder), ['lock'])
    await queues.stop()
    assert.deepEqual(readdirSync(queues.folder), [])
  })

  it('is one opener’s alone, also in one process and when many try at once', async () => {
    for (let round = 0; round < 20; round++) {
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => queues.openSpool()))
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
      await queues.stop()
    }
  })

  it('may have a path longer than a socket’s', async () => {
    const directory = join(queues.folder, 'x'.repeat(150))
    await queues.openSpool({ directory })
    await assert.rejects(queues.openSpool({ directory }), /another has it/)
    assert.ok(existsSync(join(directory, 'lock')))
  })

  it('stops the start when it can’t be used', async () => {
    writeFileSync(join(queues.folder, 'file'), '')
    await assert.rejects(queues.openSpool({ directory: join(queues.folder, 'file', 'spool') }), {
      name: 'Failure',
      message: /use directory .*: ENOTDIR.*; file_storage needs a directory that the agent may write to/,
    })
  })
})
