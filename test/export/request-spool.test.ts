import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { delivered, later, retryAfter, ScriptedSender, textRequest } from '../support/scripted-sender.ts'
import { assertBalanced, lost, SpooledQueues } from '../support/spooled-queues.ts'
import { until } from '../support/until.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

let queues: SpooledQueues

beforeEach(() => {
  queues = new SpooledQueues()
})

afterEach(() => queues.remove())

describe('a spool', () => {
  it('hands what waited to the next agent, in order, and keeps nothing that was delivered', async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    const first = await queues.start()
    const texts = Array.from({ length: 100 }, (_, i) => `request ${i}`)
    for (const text of texts) await first.push(textRequest(text, 5))
    await queues.stop()
    assert.deepEqual(lost(first), {})
    assert.equal(first.counts.queue.items, 500)

    queues.sender = new ScriptedSender()
    const second = await queues.start()
    assert.deepEqual([second.counts.produced, second.counts.queue.items], [500, 500])
    void second.push(textRequest('another', 5))
    await second.drained()
    assert.deepEqual(queues.sender.texts, [...texts, 'another'])
    assert.ok(queues.sender.sent.every(({ items }) => items === 5))
    assert.equal(second.counts.delivered, 505)
    await queues.stop()
    assert.deepEqual(queues.files(), [])
  })

  it('has what was accepted on disk, for its owner alone', async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    for (const fsync of ['always', 'never', 10] as const) {
      const queue = await queues.start({ fsync })
      await queue.push(textRequest('secret', 5))
      const [file] = queues.files()
      const path = join(queues.folder, 'otlp_grpc.traces', file!)
      assert.match(readFileSync(path).toString('latin1'), /secret$/)
      assert.equal(statSync(path).mode & 0o777, 0o600)
      assert.equal(statSync(join(queues.folder, 'otlp_grpc.traces')).mode & 0o777, 0o700)
      await queues.stop()
      rmSync(path)
    }
  })

  it('keeps the bodies of what waits on disk alone', async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    const queue = await queues.start({ maxBytes: 100_000_000 })
    const before = heldBytes()
    for (let i = 0; i < 50; i++) await queue.push({ signal: 'traces', items: 1, body: Buffer.alloc(20_000, i) })
    assert.equal(queue.counts.queue.bytes, 1_000_000)
    // Buffers are freed by and by.
    await until('only the first is in memory', () => heldBytes() - before < 200_000)
  })

  it('keeps signals and exporters apart', async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    const spool = await queues.openSpool()
    const [traces, logs, second] = [
      queues.queueOn(await spool.folder('otlp_grpc', 'traces')),
      queues.queueOn(await spool.folder('otlp_grpc', 'logs')),
      queues.queueOn(await spool.folder('otlp_grpc/../second', 'logs')),
    ]
    await Promise.all([traces!.push(textRequest('t')), logs!.push(textRequest('l')), second!.push(textRequest('s'))])
    assert.deepEqual(
      readdirSync(queues.folder)
        .filter(name => name !== 'lock')
        .sort(),
      ['otlp_grpc%2F..%2Fsecond.logs', 'otlp_grpc.logs', 'otlp_grpc.traces'],
    )
    await queues.stop()
    queues.sender = new ScriptedSender()
    await queues.queueOn(await (await queues.openSpool()).folder('otlp_grpc', 'logs')).drained()
    assert.deepEqual(queues.sender.texts, ['l'])
  })
})

describe('a spool that was spoilt', () => {
  beforeEach(async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    const queue = await queues.start()
    for (const text of ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee']) await queue.push(textRequest(text, 7))
    await queues.stop()
    queues.sender = new ScriptedSender()
  })

  const fileAt = (i: number) => join(queues.folder, 'otlp_grpc.traces', queues.files()[i]!)

  it('counts what it can’t read, to the item, and goes on with the rest', async () => {
    const flipped = readFileSync(fileAt(0))
    flipped[flipped.length - 1]! ^= 1
    writeFileSync(fileAt(0), flipped)
    truncateSync(fileAt(1), statSync(fileAt(1)).size - 1)
    truncateSync(fileAt(2), 3)
    const ofAnotherVersion = readFileSync(fileAt(3))
    ofAnotherVersion.write('PWQ2')
    writeFileSync(fileAt(3), ofAnotherVersion)
    const queue = await queues.start()
    await queue.drained()
    assert.deepEqual(queues.sender.texts, ['eeee'])
    assert.deepEqual([queue.counts.produced, queue.counts.delivered, lost(queue)], [35, 7, { unreadable: 28 }])
    assertBalanced(queue)
    assert.equal(queues.captured.messages.filter(message => /7 items can't be read/.test(message)).length, 4)
    await queues.stop()
    assert.deepEqual(queues.files(), [])
  })

  it('has no use for what a killed process had not finished, which nobody was promised', async () => {
    writeFileSync(join(queues.folder, 'otlp_grpc.traces', '0000000000000099-3.request.part'), 'half')
    const queue = await queues.start()
    await queue.drained()
    assert.equal(queue.counts.produced, 35)
    await queues.stop()
    assert.deepEqual(queues.files(), [])
  })

  it('leaves files of others alone', async () => {
    const note = join(queues.folder, 'otlp_grpc.traces', 'README')
    writeFileSync(note, 'hands off')
    await (await queues.start()).drained()
    await queues.stop()
    assert.deepEqual(queues.files(), ['README'])
  })
})

describe('a spool that is full', () => {
  /** Of a body of a few bytes. */
  const BLOCK = 4096

  it('lets the oldest go, whoever’s it is, and says whose', async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    const spool = await queues.openSpool({ maxBytes: 5 * BLOCK })
    const traces = queues.queueOn(await spool.folder('otlp_grpc', 'traces'))
    const logs = queues.queueOn(await spool.folder('otlp_grpc', 'logs'))
    for (const text of ['a', 'b', 'c']) await traces.push(textRequest(text, 3))
    for (const text of ['d', 'e', 'f', 'g']) await logs.push(textRequest(text, 5))
    assert.deepEqual([lost(traces), lost(logs)], [{ storage_full: 6 }, {}])
    assert.equal(queues.files().length + queues.files('otlp_grpc.logs').length, 5)
    for (const queue of [traces, logs]) assertBalanced(queue)
  })

  it('does not let go what the receiver may have already; then memory holds what is new', async () => {
    const { promise, resolve } = later()
    queues.sender.script.push(promise)
    const queue = await queues.start({ maxBytes: BLOCK })
    await queue.push(textRequest('a', 3))
    await queue.push(textRequest('b', 3))
    assert.deepEqual(lost(queue), {})
    assert.equal(queues.files().length, 1)
    assert.match(
      queues.captured.messages[0]!,
      /otlp_grpc, traces, storage: .* holds its 4096 bytes; what waits is kept in memory/,
    )
    resolve(delivered)
    await queue.drained()
    assert.deepEqual(queues.sender.texts, ['a', 'b'])
  })

  it('holds the bounds of its queue too', async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    const spool = await queues.openSpool()
    const queue = queues.queueOn(await spool.folder('otlp_grpc', 'traces'), 10)
    for (let i = 0; i < 6; i++) await queue.push(textRequest('four', 2))
    assert.deepEqual([queue.counts.queue.items, lost(queue)], [4, { queue_full: 8 }])
    await until('the files are gone', () => queues.files().length === 2)
  })

  it('gives what no exporter sends any more before what is new, and says so', async () => {
    queues.sender.otherwise = () => retryAfter(60_000)
    const spool = await queues.openSpool()
    const old = queues.queueOn(await spool.folder('gone', 'traces'))
    for (let i = 0; i < 3; i++) await old.push(textRequest('old', 4))
    await queues.stop()
    const queue = await queues.start({ maxBytes: 3 * BLOCK })
    await queue.push(textRequest('new', 4))
    assert.equal(queues.files('gone.traces').length, 2)
    assert.deepEqual(lost(queue), {})
    assert.match(queues.said, /4 items of gone.traces, which nobody sends, gave way to newer ones/)
  })
})

function heldBytes(): number {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}
