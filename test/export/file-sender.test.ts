import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { FileSender } from '../../lib/export/file-sender.ts'
import type { SendOutcome } from '../../lib/export/sender.ts'
import { fileConfig } from '../support/exporter-config.ts'
import { skip } from '../support/skip.ts'
import { metricRequest } from '../support/told-metrics.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-file-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

function senderTo(path: string, maxFileBytes = 1_000_000, maxBackups = 2): FileSender {
  return new FileSender(fileConfig(path, maxFileBytes, maxBackups))
}

function send(sender: FileSender, value: number, points = 1): Promise<SendOutcome> {
  return sender.send(metricRequest(value, points))
}

const delivered: SendOutcome = { kind: 'delivered', rejected: 0 }

function errorOf(outcome: SendOutcome): string {
  return outcome.kind === 'retry' ? outcome.error.message : ''
}

/** The value of each line, which is the same for all points of a line. */
function valuesIn(path: string): number[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  assert.equal(lines.pop(), '')
  return lines.map(line => {
    const [resource] = JSON.parse(line).resourceMetrics
    return Number(resource.scopeMetrics[0].metrics[0].sum.dataPoints[0].asInt)
  })
}

describe('file sender', () => {
  it('appends a line per request, and after a restart too', async () => {
    const path = join(folder, 'new', 'otlp.jsonl')
    const first = senderTo(path)
    await send(first, 1)
    await send(first, 2)
    await first.close()
    await send(senderTo(path), 3)
    assert.deepEqual(valuesIn(path), [1, 2, 3])
  })

  it('has the line in the file when it reports success', async () => {
    const path = join(folder, 'otlp.jsonl')
    assert.deepEqual(await send(senderTo(path), 1), delivered)
    assert.deepEqual(valuesIn(path), [1])
  })

  it('sets the file aside before it exceeds its size, and keeps as many as configured', async () => {
    const path = join(folder, 'otlp.jsonl')
    const sender = senderTo(path)
    await send(sender, 0)
    const lineBytes = statSync(path).size
    const small = senderTo(path, 2 * lineBytes)
    for (const value of [1, 2, 3, 4, 5, 6, 7]) await send(small, value)
    assert.deepEqual(readdirSync(folder).sort(), ['otlp.jsonl', 'otlp.jsonl.1', 'otlp.jsonl.2'])
    const kept = ['otlp.jsonl.2', 'otlp.jsonl.1', 'otlp.jsonl'].map(name => valuesIn(join(folder, name)))
    assert.deepEqual(kept, [
      [2, 3],
      [4, 5],
      [6, 7],
    ])
  })

  it('keeps nothing but the file itself with max_backups: 0', async () => {
    const path = join(folder, 'otlp.jsonl')
    const sender = senderTo(path, 1, 0)
    for (const value of [1, 2, 3]) await send(sender, value)
    assert.deepEqual(readdirSync(folder), ['otlp.jsonl'])
    assert.deepEqual(valuesIn(path), [3])
  })

  it('goes on in a new file when somebody moved the old one', async () => {
    const path = join(folder, 'otlp.jsonl')
    const sender = senderTo(path)
    await send(sender, 1)
    renameSync(path, join(folder, 'moved'))
    await send(sender, 2)
    assert.deepEqual([valuesIn(join(folder, 'moved')), valuesIn(path)], [[1], [2]])
  })

  it('writes requests that arrive together one after the other, each whole', async () => {
    const path = join(folder, 'otlp.jsonl')
    const sender = senderTo(path)
    const outcomes = await Promise.all([1, 2, 3].map(value => send(sender, value)))
    assert.deepEqual(
      [valuesIn(path), outcomes],
      [
        [1, 2, 3],
        [delivered, delivered, delivered],
      ],
    )
  })

  it('reports a file that can’t be written as a failed request, with its path', async () => {
    writeFileSync(join(folder, 'file'), '')
    const path = join(folder, 'file', 'otlp.jsonl')
    assert.match(errorOf(await send(senderTo(path), 1)), /file\/otlp\.jsonl can't be written: E/)
  })

  it('survives a full disk: the request fails, no half line stays, and it goes on when there is room', async function () {
    if (process.getuid?.() !== 0) skip(this, 'a disk small enough to fill is a tmpfs, which takes root to mount')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'podweir-test', folder])
    try {
      const path = join(folder, 'otlp.jsonl')
      const sender = senderTo(path)
      await send(sender, 1)
      assert.match(errorOf(await send(sender, 2, 2_000)), /ENOSPC/)
      assert.deepEqual(await send(sender, 3), delivered)
      assert.deepEqual(valuesIn(path), [1, 3])
    } finally {
      execFileSync('umount', [folder])
    }
  })
})
