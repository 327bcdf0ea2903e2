import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { ExportResultCode } from '@opentelemetry/core'
import { describe, it } from 'mocha'
import { DebugExporter } from '../../lib/export/debug-exporter.ts'
import { everything, point, request, sum } from '../support/resource-metrics.ts'

const flows = request([sum('podweir.network.flow.bytes', [point(120, { port: 80 }), point(0)]), sum('b', [point(7)])])

async function written(verbosity: 'basic' | 'normal' | 'detailed', metrics = flows): Promise<string[]> {
  const out = new PassThrough()
  const exporter = new DebugExporter(verbosity, out)
  const { code } = await new Promise<{ code: number }>(done => exporter.export(metrics, done))
  assert.equal(code, ExportResultCode.SUCCESS)
  return (await text(out.end())).trimEnd().split('\n')
}

describe('debug exporter', () => {
  it('basic: one line per request', async () => {
    assert.deepEqual(await written('basic'), ['2025-11-21T13:00:10.250Z metrics: 2, data points: 3'])
  })

  it('normal: one line per data point', async () => {
    assert.deepEqual(await written('normal'), [
      'podweir.network.flow.bytes{port=80} 120 By',
      'podweir.network.flow.bytes{} 0 By',
      'b{} 7 By',
    ])
  })

  it('detailed: resource, scope and times too', async () => {
    const [resource, scope, first] = await written('detailed')
    assert.equal(resource, 'resource {service.name=podweir, host.name=node-1}')
    assert.equal(scope, 'scope podweir 0.1.0')
    const times = 'start=2025-11-21T13:00:00.000Z time=2025-11-21T13:00:10.250Z'
    assert.equal(first, `podweir.network.flow.bytes{port=80} 120 By ${times}`)
  })

  it('shows a histogram by its count and sum', async () => {
    const lines = await written('normal', everything())
    assert.ok(lines.includes('histogram{} count=6 sum=3.5 min=0.1 max=2 s'))
  })

  it('lets no control character of a name through', async () => {
    const lines = await written('normal', request([sum('a', [point(1, { pod: 'x\u001b[2J\n\u009b' })])]))
    assert.deepEqual(lines, ['a{pod=x\\u001b[2J\\u000a\\u009b} 1 By'])
  })

  it('reports a reader that is gone as a failed request', async () => {
    const out = new PassThrough()
    out.on('error', () => {})
    out.destroy()
    const exporter = new DebugExporter('basic', out)
    const { code } = await new Promise<{ code: number }>(done => exporter.export(flows, done))
    assert.equal(code, ExportResultCode.FAILED)
  })
})
