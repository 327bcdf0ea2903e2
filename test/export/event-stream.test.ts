// From drained batches to what an exporter writes, with what was too much counted.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { stringify } from 'yaml'
import type { ConnectionListener } from '../../lib/aggregate/connection-record.ts'
import { Failed, Retired } from '../../lib/capture/flow-batch.ts'
import { parseConfig } from '../../lib/config/config.ts'
import { outletsOf } from '../../lib/config/outlets.ts'
import { podweirScope } from '../../lib/encode/scope.ts'
import { EventOutlets } from '../../lib/export/event-outlets.ts'
import { EventStream } from '../../lib/export/event-stream.ts'
import { smallCluster, startedAtMs } from '../aggregate/small-cluster.ts'
import { capturedLog } from '../support/captured-log.ts'
import { linesOf, type OtlpLogsRequest, type OtlpTraceRequest } from '../support/collected-otlp.ts'
import { flowBatch } from '../support/flow-batch.ts'

const clock = { nowMs: () => 1_003_000, monotonicMs: () => 1_003_000 }

describe('the stream of spans and log records', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-stream-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** One batch of attempts that were refused, and the end. */
  async function told(signals: readonly string[], receiver: object, attempts: number) {
    const file = join(folder, `${signals.join()}.jsonl`)
    const pipelines = Object.fromEntries(signals.map(signal => [signal, { exporters: ['file'] }]))
    const settings = { receivers: { podweir: receiver }, exporters: { file: { path: file } }, service: { pipelines } }
    const config = parseConfig(stringify(settings), 'test', {})
    const { log, messages } = capturedLog()
    const [traces, logs] = (['traces', 'logs'] as const).map(each => outletsOf(config, each))
    const outlets = await EventOutlets.open({ traces: traces!, logs: logs!, scope: podweirScope('0'), log, clock })
    const listener: ConnectionListener = {
      wants: glimpse => stream.connections?.wants(glimpse) ?? false,
      tell: record => stream.connections!.tell(record),
    }
    const { table, edges } = smallCluster({ connections: listener })
    const names = { serviceName: () => undefined }
    const stream = new EventStream({ config, outlets, edges, names, version: '0', startedAtMs, log, clock })
    stream.drained(1_001_000)
    const slots = Array.from({ length: attempts }, (_, slot) => slot)
    const flows = slots.map(slot => ({ slot, fromPodPackets: 1, failed: Failed.refused, ended: Retired.yes }))
    table.apply(flowBatch({ started: slots.map(slot => ({ slot })), flows, readAtMs: 1_001_000 }))
    stream.counted()
    await stream.close(5_000)
    const lines = linesOf(file) as (OtlpTraceRequest & OtlpLogsRequest)[]
    return {
      messages,
      spans: lines.flatMap(({ resourceSpans = [] }) => resourceSpans).flatMap(({ scopeSpans }) => scopeSpans[0]!.spans),
      records: lines
        .flatMap(({ resourceLogs = [] }) => resourceLogs)
        .flatMap(({ scopeLogs }) => scopeLogs[0]!.logRecords),
      counts: outlets.queues.map(({ signal, counts }) => [
        signal,
        counts.produced,
        counts.delivered,
        Object.fromEntries(counts.lost),
      ]),
      connections: stream.connections,
    }
  }

  it('makes spans where a pipeline carries traces, and nothing else', async () => {
    const { spans, records, counts, messages } = await told(['traces'], {}, 3)
    assert.deepEqual([spans.length, records.length, messages], [3 + 2, 0, []])
    assert.deepEqual(counts, [['traces', 5, 5, {}]])
  })

  it('makes records where a pipeline carries logs, and counts those that were too many', async () => {
    const { spans, records, counts } = await told(['logs'], { logs: { records_per_second: 4 } }, 10)
    assert.deepEqual([spans.length, records.length], [0, 4 + 1])
    assert.deepEqual(counts, [['logs', 10 + 1, 4 + 1, { rate_limited: 6 }]])
  })

  it('looks at no connection where nobody asks for one', async () => {
    const { connections, spans } = await told(['traces'], { traces: { connections: 'off' } }, 3)
    assert.deepEqual([connections, spans.map(({ kind }) => kind)], [undefined, [3, 2]])
    const none = await told(['metrics'], {}, 3)
    assert.deepEqual([none.connections, none.spans, none.counts], [undefined, [], []])
  })
})
