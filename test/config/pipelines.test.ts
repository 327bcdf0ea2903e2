import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseConfig } from '../../lib/config/config.ts'
import { outletsOf, signalsOf } from '../../lib/config/outlets.ts'
import { problemsOf } from '../support/config-problems.ts'

const parts = `processors: { filter: { exclude: ["dst.port:9100"] }, filter/b: , batch: , batch/b: , memory_limiter: }
exporters: { otlp_grpc: , debug: , influx: { org: o, bucket: b }, prometheus: }
`

describe('pipelines', () => {
  it('carry metrics to every exporter when there are none', () => {
    const config = parse('exporters: { debug: , file: { path: a } }')
    assert.deepEqual(config.pipelines, [
      { id: 'metrics', signal: 'metrics', processors: [], exporters: ['debug', 'file'] },
    ])
    assert.deepEqual(signalsOf(config, 'file'), ['metrics'])
  })

  it('give an exporter each signal once, with its processors, however many name it', () => {
    const config = parse(`${parts}service: { pipelines: {
  metrics: { processors: [filter, batch], exporters: [influx, debug] },
  metrics/two: { processors: [filter, batch], exporters: [debug] },
  traces: { processors: [memory_limiter], exporters: [debug] } } }`)
    const outlets = (signal: 'metrics' | 'traces' | 'logs') =>
      outletsOf(config, signal).map(({ exporter, processors }) => [exporter.id, ...processors.map(({ id }) => id)])
    assert.deepEqual(outlets('metrics'), [
      ['debug', 'filter', 'batch'],
      ['influx', 'filter', 'batch'],
    ])
    assert.deepEqual(outlets('traces'), [['debug', 'memory_limiter']])
    assert.deepEqual(outlets('logs'), [])
    assert.deepEqual(signalsOf(config, 'debug'), ['metrics', 'traces'])
  })

  it('need not carry metrics', () => {
    const config = parse(`${parts}service: { pipelines: { logs: { exporters: [debug] } } }`)
    assert.deepEqual(outletsOf(config, 'metrics'), [])
    assert.deepEqual(
      config.exporters.map(({ id }) => id),
      ['debug'],
    )
  })

  it('warn of what none of them uses', () => {
    const { warnings } = parse(
      `${parts}service: { pipelines: { metrics: { processors: [batch], exporters: [debug] } } }`,
    )
    assert.deepEqual(warnings, [
      'a.yaml:1:67: processors.batch: has nothing to do: metrics are collected all at once, and never left out',
      'a.yaml:2:14: exporters.otlp_grpc: is in no pipeline: nothing is sent to it',
      'a.yaml:2:36: exporters.influx: is in no pipeline: nothing is sent to it',
      'a.yaml:2:67: exporters.prometheus: is in no pipeline: nothing is sent to it',
      'a.yaml:1:15: processors.filter: is in no pipeline: it does nothing',
      'a.yaml:1:55: processors.filter/b: is in no pipeline: it does nothing',
      'a.yaml:1:76: processors.batch/b: is in no pipeline: it does nothing',
      'a.yaml:1:87: processors.memory_limiter: is in no pipeline: it does nothing',
    ])
  })

  it('warn of a queue that metrics alone would use', () => {
    const settings =
      'exporters: { otlp_grpc: { retry_on_failure: { max_elapsed_time: 1m }, sending_queue: { queue_items: 9 } } }'
    const idle = ['retry_on_failure.max_elapsed_time', 'sending_queue']
    const warned = (text: string) => parse(text).warnings.map(each => each.split(': ')[1])
    assert.deepEqual(
      warned(settings),
      idle.map(key => `exporters.otlp_grpc.${key}`),
    )
    const metrics = 'metrics: { exporters: [otlp_grpc] }'
    assert.equal(warned(`${settings}\nservice: { pipelines: { ${metrics} } }`).length, 2)
    assert.deepEqual(
      warned(`${settings}\nservice: { pipelines: { ${metrics}, logs: { exporters: [otlp_grpc] } } }`),
      [],
    )
  })

  it('may share processors that have nothing to do for metrics', () => {
    const both = 'processors: [memory_limiter, batch], exporters: [debug]'
    const { warnings } = parse(`${parts}service: { pipelines: { metrics: { ${both} }, logs: { ${both} } } }`)
    assert.ok(!warnings.some(each => each.includes('nothing to do')), warnings.join())
  })

  for (const [what, pipelines, problem] of [
    [
      'an unknown signal',
      'metric: { exporters: [debug] }',
      "3:25: service.pipelines.metric: 'metric' is no name for it; allowed: metrics, traces or logs, each with an optional /NAME",
    ],
    [
      'an exporter that is not defined',
      'metrics: { exporters: [debig] }',
      "3:48: service.pipelines.metrics.exporters[0]: exporter 'debig' is not defined (did you mean 'debug'?); allowed: otlp_grpc, debug, influx, prometheus",
    ],
    [
      'a processor that is not defined',
      'metrics: { processors: [batsh], exporters: [debug] }',
      "3:49: service.pipelines.metrics.processors[0]: processor 'batsh' is not defined (did you mean 'batch'?); allowed: filter, filter/b, batch, batch/b, memory_limiter",
    ],
    [
      'an exporter that can’t carry the signal',
      'traces: { exporters: [debug, prometheus] }',
      '3:54: service.pipelines.traces.exporters[1]: prometheus carries metrics alone, not traces; allowed: otlp_grpc, otlp_http, file, debug, kafka',
    ],
    [
      'no exporter',
      'metrics: { exporters: [] }',
      '3:47: service.pipelines.metrics.exporters: is empty; allowed: at least one exporter',
    ],
    [
      'a processor twice',
      'metrics: { processors: [filter, filter/b, filter], exporters: [debug] }',
      '3:67: service.pipelines.metrics.processors[2]: filter is in this pipeline already; allowed: each once',
    ],
    [
      'two of what there can be one of',
      'metrics: { processors: [batch, batch/b], exporters: [debug] }',
      '3:56: service.pipelines.metrics.processors[1]: is a second batch, beside batch; allowed: one batch in a pipeline',
    ],
    [
      'two ways of one signal to one exporter',
      'metrics: { exporters: [debug] }, metrics/b: { processors: [filter], exporters: [debug] }',
      '3:105: service.pipelines.metrics/b.exporters[0]: debug is in metrics too, with other processors; allowed: the same processors, or an exporter of its own',
    ],
  ] as const)
    it(`refuse ${what}`, () => {
      assert.deepEqual(problemsOf(`${parts}service: { pipelines: { ${pipelines} } }`, []), [`a.yaml:${problem}`])
    })
})

function parse(text: string) {
  return parseConfig(text, 'a.yaml', {}, [])
}
