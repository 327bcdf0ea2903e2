import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseConfig } from '../../lib/config/config.ts'
import { problemsOf } from '../support/config-problems.ts'

describe('processor settings', () => {
  it('are read', () => {
    const text = `processors:
  filter/a: { include: ["ns:shop"], exclude: ["dst.port:9100", "proto:icmp"] }
  attributes: { profile: netobserv, rename: { source.name: src }, drop: [network.type] }
  batch: { timeout: 200ms, send_batch_size: 10, send_batch_max_size: 20 }
  memory_limiter: { check_interval: 2s, limit_mib: 100, spike_limit_mib: 7 }
exporters: { debug: }
service: { pipelines: { logs: { processors: [filter/a, attributes, batch, memory_limiter], exporters: [debug] } } }`
    assert.deepEqual(parseConfig(text, 'a.yaml', {}, []).pipelines[0]?.processors, [
      { type: 'filter', id: 'filter/a', include: ['ns:shop'], exclude: ['dst.port:9100', 'proto:icmp'] },
      {
        type: 'attributes',
        id: 'attributes',
        place: 'a.yaml:3:3',
        profile: 'netobserv',
        rename: { 'source.name': 'src' },
        drop: ['network.type'],
      },
      { type: 'batch', id: 'batch', timeoutMs: 200, sendBatchSize: 10, sendBatchMaxSize: 20 },
      {
        type: 'memory_limiter',
        id: 'memory_limiter',
        checkIntervalMs: 2000,
        limitBytes: 100 * 2 ** 20,
        spikeLimitBytes: 7 * 2 ** 20,
      },
    ])
  })

  for (const [what, processors, problem] of [
    [
      'an unknown processor',
      'fliter:',
      "1:15: processors.fliter: unknown processor (did you mean 'filter'?); allowed: filter, attributes, batch, memory_limiter, each with an optional /NAME",
    ],
    [
      'a filter that is none, with the column in it',
      'filter: { exclude: ["ns:a", "src.prt:80"] }',
      "1:43: processors.filter.exclude[1]: unknown key 'prt' (did you mean 'port'?) at 5; allowed: ns, workload, kind, pod, svc, name, node, zone, label, ip, port",
    ],
    [
      'requests that are smaller than what makes one',
      'batch: { send_batch_max_size: 10 }',
      '1:45: processors.batch.send_batch_max_size: 10 is less than send_batch_size; allowed: 0, or 8192 or more',
    ],
    [
      'a spike that leaves nothing',
      'memory_limiter: { limit_mib: 64, spike_limit_mib: 64 }',
      '1:65: processors.memory_limiter.spike_limit_mib: 64 is not less than limit_mib; allowed: less than 64',
    ],
    [
      'keys that are none',
      'attributes: { drop: ["a b"] }',
      "1:36: processors.attributes.drop[0]: 'a b' is not allowed; allowed: the key of an attribute",
    ],
  ] as const)
    it(`refuse ${what}`, () => assert.deepEqual(problemsOf(`processors: { ${processors} }`, []), [`a.yaml:${problem}`]))

  it('refuse for metrics what only one flow has', () => {
    const settings = (signal: string) => `processors: { filter: { include: ["rtt>1ms"] } }
exporters: { debug: }
service: { pipelines: { ${signal}: { processors: [filter], exporters: [debug] } } }`
    assert.deepEqual(problemsOf(settings('logs'), []), [])
    assert.deepEqual(problemsOf(settings('metrics'), []), [
      "a.yaml:1:35: processors.filter.include[0]: 'rtt' is of one flow, and edges are many at 1; allowed: ns, workload, kind, pod, svc, name, ip, port, proto, type, observer",
    ])
  })
})
