import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { ExporterConfig, OtlpExporterConfig } from '../../lib/config/exporters.ts'
import type { FileStorageConfig } from '../../lib/config/file-storage.ts'
import type { ProcessorConfig } from '../../lib/config/processors.ts'
import { defaultTls } from '../../lib/config/tls.ts'
import { EventOutlets } from '../../lib/export/event-outlets.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { createLog } from '../../lib/host/log.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { hex, logRecord, scope, spanRecord } from '../support/event-records.ts'
import { exporterConfig, fileConfig } from '../support/exporter-config.ts'
import { type Decoded, decodeRequest } from '../support/otlp-decoder.ts'
import { GrpcReceiver, HttpReceiver } from '../support/otlp-receivers.ts'
import { until } from '../support/until.ts'

let folder: string
let grpc: GrpcReceiver
let http: HttpReceiver
let opened: EventOutlets[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-events-'))
  opened = []
  grpc = new GrpcReceiver()
  http = new HttpReceiver()
  await grpc.start()
  await http.start()
})

afterEach(async () => {
  for (const outlets of opened) await outlets.close(0)
  grpc.stop()
  await http.stop()
  rmSync(folder, { recursive: true })
})

async function open(
  traces: ExporterConfig[],
  logs: ExporterConfig[] = [],
  processors: ProcessorConfig[] = [],
): Promise<EventOutlets> {
  const [ofTraces, ofLogs] = [traces, logs].map(each => each.map(exporter => ({ exporter, processors })))
  const outlets = await EventOutlets.open({
    traces: ofTraces!,
    logs: ofLogs!,
    scope,
    log: createLog('silent'),
    clock: systemClock,
  })
  opened.push(outlets)
  return outlets
}

interface Otlp {
  readonly id?: string
  readonly port?: number
  readonly storage?: FileStorageConfig
}

function otlp(type: 'otlp_grpc' | 'otlp_http', { id = type, port, storage }: Otlp = {}): OtlpExporterConfig {
  const endpoint = `http://127.0.0.1:${port ?? (type === 'otlp_grpc' ? grpc : http).port}`
  const retry = { initial_interval: '20ms', max_interval: '20ms' }
  const config = exporterConfig(id, { endpoint, compression: 'gzip', retry_on_failure: retry }) as OtlpExporterConfig
  return { ...config, queue: { ...config.queue, ...(storage && { storage }) } }
}

function file(): ExporterConfig {
  return fileConfig(join(folder, 'otlp.jsonl'))
}

function spansOf(body: Buffer): Decoded[] {
  const request = decodeRequest('traces', body)
  return (request.resourceSpans as Decoded[]).flatMap(
    ({ scopeSpans }) => (scopeSpans as Decoded[])[0]!.spans as Decoded[],
  )
}

describe('spans and log records', () => {
  it('go to every exporter that a pipeline of theirs names, in the form that it wants', async () => {
    const outlets = await open([otlp('otlp_grpc'), file()], [file(), otlp('otlp_http')])
    await outlets.spans.push([spanRecord(0), spanRecord(1)])
    await outlets.records.push([logRecord(0)])
    await until('all', () => outlets.queues.every(({ counts }) => counts.queue.items === 0))
    assert.equal(spansOf(grpc.calls[0]!.body).length, 2)
    assert.equal(grpc.calls.length, 1)
    assert.deepEqual([http.requests.length, http.requests[0]!.path], [1, '/v1/logs'])
    const lines = readFileSync(join(folder, 'otlp.jsonl'), 'utf8').trim().split('\n')
    assert.deepEqual(lines.map(line => Object.keys(JSON.parse(line))[0]).sort(), ['resourceLogs', 'resourceSpans'])
    const counted = outlets.queues.map(({ id, signal, counts }) => [id, signal, counts.produced, counts.delivered])
    assert.deepEqual(counted, [
      ['otlp_grpc', 'traces', 2, 2],
      ['file', 'traces', 2, 2],
      ['file', 'logs', 1, 1],
      ['otlp_http', 'logs', 1, 1],
    ])
  })

  it('are encoded once for those who want the same form', async () => {
    const second = new GrpcReceiver()
    await second.start()
    try {
      let read = 0
      const get = (set: AttributeSet, key: string | symbol) => {
        read++
        return Reflect.get(set, key)
      }
      const more = new Proxy(new AttributeSet({}), { get })
      await (await open([otlp('otlp_grpc')])).spans.push([spanRecord(0, { more })])
      const once = read
      const both = await open([otlp('otlp_grpc'), otlp('otlp_grpc', { id: 'otlp_grpc/2', port: second.port })])
      await both.spans.push([spanRecord(0, { more })])
      await until('all', () => grpc.calls.length + second.calls.length === 3)
      assert.ok(once > 0)
      assert.equal(read, 2 * once)
      assert.deepEqual(grpc.calls[1]!.body, second.calls[0]!.body)
    } finally {
      second.stop()
    }
  })

  it('are told in lots, between which others have their turn, and both ends of an edge in one', async () => {
    const outlets = await open([otlp('otlp_grpc')])
    const spans = Array.from({ length: 5001 }, (_, i) => spanRecord(i, { traceId: hex(((i + 1) >> 1) + 1, 32) }))
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    await outlets.spans.push(spans)
    clearInterval(timer)
    assert.ok(turns >= 4, `${turns} turns`)
    await until('all', () => outlets.queues[0]!.counts.delivered === 5001)
    const perTrace = grpc.calls.map(({ body }) => Map.groupBy(spansOf(body), ({ traceId }) => traceId))
    assert.equal(new Set(perTrace.flatMap(map => [...map.keys()])).size, 2501)
    assert.equal(
      perTrace.reduce((sum, map) => sum + map.size, 0),
      2501,
    )
  })

  it('count what could not be made', async () => {
    const outlets = await open([otlp('otlp_grpc'), file()])
    outlets.spans.lost(7, 'too_many')
    for (const { counts } of outlets.queues)
      assert.deepEqual([counts.produced, Object.fromEntries(counts.lost)], [7, { too_many: 7 }])
  })

  it('wait on disk for the next agent, where a storage is named', async () => {
    const storage = { id: 'file_storage', directory: join(folder, 'spool'), maxBytes: 1e6, fsync: 'always' } as const
    http.answer = response => response.writeHead(503, { 'retry-after': '60' }).end()
    const first = await open([otlp('otlp_http', { storage })], [otlp('otlp_http', { storage })])
    await first.spans.push([spanRecord(0)])
    await first.records.push([logRecord(0)])
    await first.close(100)
    assert.deepEqual(
      first.queues.map(({ counts }) => [counts.queue.items, counts.lost.size]),
      [
        [1, 0],
        [1, 0],
      ],
    )
    http.answer = response => response.end()
    http.requests.length = 0
    const second = await open([otlp('otlp_http', { storage })], [otlp('otlp_http', { storage })])
    await until('both', () => http.requests.length === 2)
    await second.close(1000)
    assert.deepEqual(
      readdirSync(join(folder, 'spool'), { recursive: true }).filter(name => String(name).endsWith('.request')),
      [],
    )
  })

  it('leave nothing open when the start fails', async () => {
    const storage = { id: 'file_storage', directory: join(folder, 'spool'), maxBytes: 1e6, fsync: 'never' } as const
    const broken = otlp('otlp_grpc')
    const tls = { ...defaultTls, caFile: '/nonexistent/ca.pem' }
    const traces = { ...broken.targets.traces, endpoint: 'https://127.0.0.1:4317', tls }
    await assert.rejects(
      open([otlp('otlp_http', { storage }), { ...broken, targets: { ...broken.targets, traces } }]),
      {
        name: 'Failure',
      },
    )
    await open([otlp('otlp_http', { storage })])
  })
})
