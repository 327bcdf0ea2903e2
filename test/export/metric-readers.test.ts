import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { ExporterConfig } from '../../lib/config/exporters.ts'
import { MetricReaders } from '../../lib/export/metric-readers.ts'
import { agentResource } from '../../lib/export/resource.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { capturedLog } from '../support/captured-log.ts'
import { fileConfig, otlpGrpcConfig } from '../support/exporter-config.ts'
import { point, request, sum } from '../support/resource-metrics.ts'

let folder = ''
let closeAll: (() => void)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-readers-'))
})

afterEach(() => {
  for (const close of closeAll) close()
  closeAll = []
  rmSync(folder, { recursive: true })
})

function fileExporter(id: string, path = join(folder, `${id}.jsonl`)): ExporterConfig {
  return fileConfig(path, 1_000_000, 1, id)
}

/** Takes connections and never says a word. */
async function silentExporter(): Promise<ExporterConfig> {
  const sockets: { destroy(): void }[] = []
  const server = createServer(socket => void sockets.push(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closeAll.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  return otlpGrpcConfig({ endpoint, timeout: '60s' })
}

function readersOf(exporters: ExporterConfig[], exportIntervalMs = 60_000) {
  const told: string[] = []
  let collected = 0
  const readers = new MetricReaders({
    exporters,
    resource: agentResource('1.2.3', { 'k8s.node.name': 'node-1', 'host.name': 'mine' }),
    exportIntervalMs,
    streamFor: id => ({
      producer: {
        collect: async () => ({ resourceMetrics: request([sum('a', [point(++collected)])]), errors: [] }),
      },
      acknowledged: () => void told.push(`${id} acknowledged`),
      failed: () => void told.push(`${id} failed`),
    }),
    log: capturedLog().log,
    clock: systemClock,
  })
  return { readers, told }
}

describe('MetricReaders', () => {
  it('gives each exporter a stream of its own and tells it what became of the request', async () => {
    const { readers, told } = readersOf([fileExporter('file'), fileExporter('file/broken', join(folder, 'no\0path'))])
    await readers.forceFlush(2_000)
    assert.deepEqual(told.sort(), ['file acknowledged', 'file/broken failed'])
    const [file, broken] = readers.status()
    assert.match(file?.acknowledgedAt ?? '', /^20\d\d-.*Z$/)
    assert.deepEqual(broken, { id: 'file/broken', failures: 1 })
    await readers.shutdown(2_000)
  })

  it('exports at every interval', async () => {
    const { readers, told } = readersOf([fileExporter('file')], 50)
    while (told.length < 3) await new Promise(resolve => setTimeout(resolve, 10))
    await readers.shutdown(2_000)
  })

  it('flushes a last time when it is shut down', async () => {
    const { readers } = readersOf([fileExporter('file')])
    await readers.shutdown(2_000)
    assert.equal(readFileSync(join(folder, 'file.jsonl'), 'utf8').split('\n').length, 2)
  })

  it('is not held up by a receiver that never answers, neither flushing nor at the end', async () => {
    const { readers, told } = readersOf([await silentExporter(), fileExporter('file')])
    const startMs = systemClock.monotonicMs()
    await readers.forceFlush(300)
    assert.deepEqual(told, ['file acknowledged'])
    await readers.shutdown(500)
    const tookMs = systemClock.monotonicMs() - startMs
    assert.ok(tookMs < 1_500, `${tookMs} ms`)
  })

  it('sends the agent’s resource, in which configured attributes win', async () => {
    const { readers } = readersOf([fileExporter('file')])
    await readers.shutdown(2_000)
    const [{ resource }] = JSON.parse(readFileSync(join(folder, 'file.jsonl'), 'utf8')).resourceMetrics
    const attributes = new Map<string, { stringValue: string }>(
      resource.attributes.map(({ key, value }: { key: string; value: { stringValue: string } }) => [key, value]),
    )
    const textOf = (key: string) => attributes.get(key)?.stringValue
    assert.deepEqual(['service.name', 'service.version', 'host.name', 'os.type', 'k8s.node.name'].map(textOf), [
      'podweir',
      '1.2.3',
      'mine',
      'linux',
      'node-1',
    ])
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    assert.equal(textOf('service.instance.id'), `${hostname()}/${bootId}`)
  })
})
