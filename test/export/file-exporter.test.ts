import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { FileExporter } from '../../lib/export/file-exporter.ts'
import { fileConfig } from '../support/exporter-config.ts'
import { point, request, sum } from '../support/resource-metrics.ts'
import { skip } from '../support/skip.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-file-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

function exporterTo(path: string, maxFileBytes = 1_000_000, maxBackups = 2): FileExporter {
  return new FileExporter(fileConfig(path, maxFileBytes, maxBackups))
}

function send(exporter: FileExporter, value: number, points = 1): Promise<ExportResult> {
  const list = Array.from({ length: points }, (_, i) => point(value, { i }))
  return new Promise(done => exporter.export(request([sum('a', list)]), done))
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

describe('file exporter', () => {
  it('appends a line per request, and after a restart too', async () => {
    const path = join(folder, 'new', 'otlp.jsonl')
    const first = exporterTo(path)
    await send(first, 1)
    await send(first, 2)
    await first.shutdown()
    await send(exporterTo(path), 3)
    assert.deepEqual(valuesIn(path), [1, 2, 3])
  })

  it('has the line in the file when it reports success', async () => {
    const path = join(folder, 'otlp.jsonl')
    assert.equal((await send(exporterTo(path), 1)).code, ExportResultCode.SUCCESS)
    assert.deepEqual(valuesIn(path), [1])
  })

  it('sets the file aside before it exceeds its size, and keeps as many as configured', async () => {
    const path = join(folder, 'otlp.jsonl')
    const exporter = exporterTo(path)
    await send(exporter, 0)
    const lineBytes = statSync(path).size
    const small = exporterTo(path, 2 * lineBytes)
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
    const exporter = exporterTo(path, 1, 0)
    for (const value of [1, 2, 3]) await send(exporter, value)
    assert.deepEqual(readdirSync(folder), ['otlp.jsonl'])
    assert.deepEqual(valuesIn(path), [3])
  })

  it('goes on in a new file when somebody moved the old one', async () => {
    const path = join(folder, 'otlp.jsonl')
    const exporter = exporterTo(path)
    await send(exporter, 1)
    renameSync(path, join(folder, 'moved'))
    await send(exporter, 2)
    assert.deepEqual([valuesIn(join(folder, 'moved')), valuesIn(path)], [[1], [2]])
  })

  it('writes requests that arrive together one after the other, and refuses those that pile up', async () => {
    const path = join(folder, 'otlp.jsonl')
    const exporter = exporterTo(path)
    const results = await Promise.all([1, 2, 3, 4, 5].map(value => send(exporter, value)))
    assert.deepEqual(valuesIn(path), [1, 2, 3, 4])
    assert.match(results[4]?.error?.message ?? '', /is too slow: 4 requests wait/)
  })

  it('reports a file that can’t be written as a failed request, with its path', async () => {
    writeFileSync(join(folder, 'file'), '')
    const path = join(folder, 'file', 'otlp.jsonl')
    const { code, error } = await send(exporterTo(path), 1)
    assert.equal(code, ExportResultCode.FAILED)
    assert.match(error?.message ?? '', /file\/otlp\.jsonl can't be written: E/)
  })

  it('survives a full disk: the request fails, no half line stays, and it goes on when there is room', async function () {
    if (process.getuid?.() !== 0) skip(this, 'a disk small enough to fill is a tmpfs, which takes root to mount')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'podweir-test', folder])
    try {
      const path = join(folder, 'otlp.jsonl')
      const exporter = exporterTo(path)
      await send(exporter, 1)
      const { code, error } = await send(exporter, 2, 2_000)
      assert.equal(code, ExportResultCode.FAILED)
      assert.match(error?.message ?? '', /ENOSPC/)
      assert.equal((await send(exporter, 3)).code, ExportResultCode.SUCCESS)
      assert.deepEqual(valuesIn(path), [1, 3])
    } finally {
      execFileSync('umount', [folder])
    }
  })
})
