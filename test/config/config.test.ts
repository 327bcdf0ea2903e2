import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import { RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { loadConfig, parseConfig } from '../../lib/config/config.ts'
import { NOT_YET } from '../../lib/config/not-yet.ts'
import { WrongSettings } from '../../lib/config/problems.ts'
import { Failure } from '../../lib/host/failure.ts'
import { scopeOf } from '../support/scope.ts'

describe('config', () => {
  it('has every default when the file is empty', () => {
    const { exporters, ...rest } = parse('')
    assert.deepEqual(
      exporters.map(({ id }) => id),
      ['otlp_grpc'],
    )
    assert.deepEqual(rest, {
      attach: 'auto',
      hook: 'auto',
      attachPaceMs: 100,
      flowLimit: 32_768,
      detail: 'basic',
      level: 'workload',
      zones: 'off',
      seriesLimit: 10_000,
      edgeIdleMs: 0,
      podMetrics: 'podweir',
      drainIntervalMs: 1000,
      exportIntervalMs: 10_000,
      retire: RETIRE_TIMES,
      auditIntervalMs: 60_000,
      pins: '/sys/fs/bpf/podweir',
      onStop: 'detach',
      cpuBudget: 0.01,
      kubernetes: { authType: 'none', peers: 'watch', labels: [], annotations: [] },
      scope: scopeOf({}),
      ownTraffic: 'exclude',
      modules: { drops: false, dns: false, conntrack: false },
      traces: {
        ...{ edges: true, connections: 'failed', windowMs: 15_000, slowThresholdMs: 250, sampleRatio: 0.01 },
        ...{ serviceNameSuffix: ' (net)', serviceGraphMetrics: false },
      },
      logs: { flows: 'failed', profile: 'default', recordsPerSecond: 200 },
      pipelines: [{ id: 'metrics', signal: 'metrics', processors: [], exporters: ['otlp_grpc'] }],
      apiEndpoint: 'unix:///run/podweir/podweir.sock',
      fileStorages: [],
      ownTelemetry: { level: 'none', intervalMs: 10_000, collectorNames: false },
      logLevel: 'info',
      resourceAttributes: {},
      settingsFiles: [],
      warnings: [],
    })
  })

  it('takes a section without content for its defaults', () => {
    const { exporters, pipelines, ...rest } = parse(
      'receivers:\n  podweir:\nprocessors:\nexporters:\n  debug:\nextensions:\n  api:\nservice:\n',
    )
    assert.deepEqual([exporters[0]?.id, pipelines[0]?.exporters], ['debug', ['debug']])
    const { exporters: _, pipelines: __, ...defaults } = parse('')
    assert.deepEqual(rest, defaults)
  })

  it('reads every setting', () => {
    const { exporters, pipelines, ...config } = parse(
      `
receivers:
  podweir: { attach: host, hook: clsact, attach_pace: 20ms, pins: /sys/fs/bpf/other, on_stop: keep, flow_limit: 16, detail: full, level: address, zones: on, series_limit: 20, edge_idle: 7m, pod_metrics: semconv,
    drain_interval: 100ms, collection_interval: 1m30s, inventory: pods.yaml, discovery: auto,
    retire: { closed: 1s, failed: 2s, half_open: 3s, datagram: 4s, idle: 5s, abandoned: 6m, connect_timeout: 7s },
    kubernetes: { auth_type: kubeConfig, kubeconfig: k.yaml, context: blue, node_name: n1, peers: none, labels: [app.kubernetes.io/name], annotations: [team] },
    audit_interval: off, cpu_budget: 2.5%, scope: { exclude: { ports: [9100] } }, own_traffic: include, modules: { drops: on, dns: on, conntrack: on },
    traces: { edges: off, connections: sampled, window: 5s, slow_threshold: 3ms, sample_ratio: 1, service_name_suffix: "", service_graph_metrics: on },
    logs: { flows: all, profile: netflow, records_per_second: 7 } }
exporters: { debug: }
extensions: { api: { endpoint: "unix:///tmp/p.sock" }, health_check: { endpoint: "[::1]:80", min_attached: 50% }, zpages: { endpoint: "localhost:1" }, file_storage/a: { directory: /spool, max_bytes: 2GiB, fsync: always } }
service:
  extensions: [api, health_check, zpages, file_storage/a]
  pipelines: { metrics: { exporters: [debug] }, traces: { exporters: [debug] }, logs: { exporters: [debug] } }
  telemetry:
    logs: { level: debug }
    metrics: { level: detailed, endpoint: "c:4317", address: "localhost:8888", interval: 1m, collector_names: on }
    resource: { k8s.cluster.name: blue }
`,
      [],
    )
    assert.deepEqual(config, {
      attach: 'host',
      hook: 'clsact',
      attachPaceMs: 20,
      pins: '/sys/fs/bpf/other',
      onStop: 'keep',
      flowLimit: 16,
      detail: 'full',
      level: 'address',
      zones: 'on',
      seriesLimit: 20,
      edgeIdleMs: 420_000,
      podMetrics: 'semconv',
      drainIntervalMs: 100,
      exportIntervalMs: 90_000,
      retire: {
        ...{ closedMs: 1000, failedMs: 2000, halfOpenMs: 3000, datagramMs: 4000, idleMs: 5000 },
        ...{ abandonedMs: 360_000, connectTimeoutMs: 7000 },
      },
      auditIntervalMs: 0,
      cpuBudget: 0.025,
      inventoryFile: 'pods.yaml',
      discovery: 'auto',
      kubernetes: {
        ...{ authType: 'kubeConfig', kubeconfig: 'k.yaml', context: 'blue', nodeName: 'n1', peers: 'none' },
        ...{ labels: ['app.kubernetes.io/name'], annotations: ['team'] },
      },
      scope: scopeOf({ exclude: { ports: ['9100'] } }),
      ownTraffic: 'include',
      modules: { drops: true, dns: true, conntrack: true },
      traces: {
        ...{ edges: false, connections: 'sampled', windowMs: 5000, slowThresholdMs: 3, sampleRatio: 1 },
        ...{ serviceNameSuffix: '', serviceGraphMetrics: true },
      },
      logs: { flows: 'all', profile: 'netflow', recordsPerSecond: 7 },
      apiEndpoint: 'unix:///tmp/p.sock',
      healthCheck: { host: '::1', port: 80, minAttached: 0.5 },
      zpages: { host: 'localhost', port: 1 },
      fileStorages: [{ id: 'file_storage/a', directory: '/spool', maxBytes: 2 ** 31, fsync: 'always' }],
      ownTelemetry: {
        ...{ level: 'detailed', endpoint: 'c:4317', address: { host: 'localhost', port: 8888 } },
        ...{ intervalMs: 60_000, collectorNames: true },
      },
      logLevel: 'debug',
      resourceAttributes: { 'k8s.cluster.name': 'blue' },
      settingsFiles: [],
      warnings: [],
    })
  })

  it('has no API when service.extensions leaves it out', () => {
    assert.equal(parse('service: { extensions: [] }').apiEndpoint, undefined)
  })

  it('warns of what is set and can’t be seen', () => {
    const settings = `exporters: { debug: }
receivers: { podweir: { traces: { window: 5s }, logs: { flows: all } } }
service: { telemetry: { metrics: { level: basic } } }
extensions: { health_check: }`
    assert.deepEqual(parse(settings, []).warnings, [
      'a.yaml:4:15: extensions.health_check: is not in service.extensions: it is off',
      'service.telemetry.metrics: level basic, but neither endpoint nor address: nobody hears of it',
      'receivers.podweir.traces: no pipeline carries traces, so that no span is made',
      'receivers.podweir.logs: no pipeline carries logs, so that no record is made',
    ])
  })

  it('warns of exports without new figures', () => {
    const config = parse('receivers: { podweir: { drain_interval: 2s, collection_interval: 1s } }')
    assert.match(config.warnings[0] ?? '', /collection_interval 1s is shorter than drain_interval 2s/)
  })
})

describe('config problems', () => {
  const file = `receivers:
  podweir:
    atach: host
    attach: hots
    flow_limit: 5
    drain_interval: 1
    retire: { idel: 1s, abandoned: 59s }
    audit_interval: 0s
    cpu_budget: 0.01
recievers: {}
exporters:
  otlp_grpc: { endpoint: collector, headers: { "a b": x, token: 12 } }
  files: {}
  file: {}
extensions: { api: { endpoint: "tcp://x" } }
service:
  pipelines: { metrics: { receivers: [podwier], exporters: [otlp_grp] } }
`

  it('are told all at once, each with its place and what is allowed', () => {
    assert.deepEqual(problems(file), [
      "a.yaml:3:5: receivers.podweir.atach: unknown key (did you mean 'attach'?); allowed: attach, hook, attach_pace, pins, on_stop, flow_limit, detail, level, zones, series_limit, edge_idle, pod_metrics, drain_interval, collection_interval, retire, audit_interval, cpu_budget, inventory, discovery, kubernetes, scope, own_traffic, traces, logs, modules",
      "a.yaml:4:13: receivers.podweir.attach: 'hots' is not allowed (did you mean 'host'?); allowed: auto, host, pod",
      'a.yaml:5:17: receivers.podweir.flow_limit: 5 is not allowed; allowed: a whole number from 16 to 1048576',
      'a.yaml:6:21: receivers.podweir.drain_interval: 1 is not allowed; allowed: 100ms to 1m, such as 1s',
      "a.yaml:7:15: receivers.podweir.retire.idel: unknown key (did you mean 'idle'?); allowed: closed, failed, half_open, datagram, idle, abandoned, connect_timeout",
      "a.yaml:7:36: receivers.podweir.retire.abandoned: '59s' is not allowed; allowed: 1m to 168h, such as 1m",
      "a.yaml:8:21: receivers.podweir.audit_interval: '0s' is not allowed; allowed: 1s to 1h, such as 1m, or off",
      'a.yaml:9:17: receivers.podweir.cpu_budget: 0.01 is not allowed; allowed: 0.1% to 1000% of a core, such as 1%, or off',
      "a.yaml:10:1: recievers: unknown key (did you mean 'receivers'?); allowed: receivers, processors, exporters, extensions, resolver, service",
      "a.yaml:12:26: exporters.otlp_grpc.endpoint: 'collector' is not allowed; allowed: HOST:PORT, http://HOST:PORT, https://HOST:PORT",
      'a.yaml:12:48: exporters.otlp_grpc.headers: this is no name for it; allowed: letters, digits, - _ .',
      'a.yaml:12:65: exporters.otlp_grpc.headers.token: this value is not allowed; allowed: text of printable ASCII characters',
      "a.yaml:13:3: exporters.files: unknown exporter (did you mean 'file'?); allowed: otlp_grpc, otlp_http, file, debug, prometheus, influx, kafka, each with an optional /NAME",
      'a.yaml:14:9: exporters.file.path: is missing; allowed: the path of a file',
      "a.yaml:15:32: extensions.api.endpoint: 'tcp://x' is not allowed; allowed: unix:///PATH of a socket, at most 107 characters",
      "a.yaml:17:39: service.pipelines.metrics.receivers[0]: 'podwier' is not allowed (did you mean 'podweir'?); allowed: podweir",
    ])
  })

  it('end with exit code 2 and a message of these lines', () => {
    const failure = failureOf(file)
    assert.equal(failure.exitCode, 2)
    assert.deepEqual(failure.message.split('\n').slice(0, -1), failure.problems)
  })

  it('include a module that is unknown, or neither on nor off', () => {
    assert.deepEqual(problems('receivers: { podweir: { modules: { drops: yes, drips: on } } }'), [
      "a.yaml:1:43: receivers.podweir.modules.drops: 'yes' is not allowed; allowed: on, off",
      "a.yaml:1:48: receivers.podweir.modules.drips: unknown key (did you mean 'drops'?); allowed: drops, dns, conntrack",
    ])
  })

  for (const [what, text, line] of [
    ['a duplicate key', 'service: {}\nservice: {}', "a.yaml:2:1: duplicate key 'service'"],
    ['a tab', 'service:\n\textensions: []', 'a.yaml:2:1: Tabs are not allowed as indentation'],
    [
      'broken YAML',
      'service: [1',
      'a.yaml:1:12: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [
      'a root that is no mapping',
      '- a',
      'a.yaml:1:1: a list is not allowed; allowed: receivers, processors, exporters, extensions, resolver, service',
    ],
    ['an alias without anchor', 'service: *x', "a.yaml:1:10: service: '*x' names no anchor"],
    [
      'an alias of what holds it',
      'service: &x { extensions: *x }',
      "a.yaml:1:27: service.extensions: '*x' names what holds it",
    ],
  ] as const) {
    it(`include ${what}`, () => assert.equal(problems(text)[0], line))
  }

  it('leave out what follows from a broken place', () => {
    assert.deepEqual(problems('receivers: { podweir: a{b} }\nservice: {}\n'), [
      'a.yaml:1:24: Unexpected flow-map-start at node end',
    ])
  })

  it('stay few when aliases multiply', () => {
    const lines = ['a: &a0 [x, x]', ...Array.from({ length: 30 }, (_, i) => `b${i}: &a${i + 1} [*a${i}, *a${i}]`)]
    assert.match(problems(lines.join('\n')).join('\n'), /is one alias too many/)
  })

  it('name the path, cause and remedy of a file that cannot be read', () => {
    const directory = mkdtempSync(join(tmpdir(), 'podweir-config-'))
    try {
      chmodSync(directory, 0o700)
      const missing = join(directory, 'missing.yaml')
      assert.throws(
        () => loadConfig({ files: [missing], set: [] }),
        (error: Failure) => {
          assert.ok(error instanceof Failure)
          assert.equal(error.exitCode, 1)
          assert.match(error.message, /missing\.yaml: no such file or directory; check the path/)
          return true
        },
      )
      assert.throws(() => loadConfig({ files: [directory], set: [] }), /illegal operation on a directory; name a file/)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

function parse(text: string, notYet = NOT_YET) {
  return parseConfig(text, 'a.yaml', {}, notYet)
}

function failureOf(text: string): WrongSettings {
  try {
    parse(text)
  } catch (error) {
    assert.ok(error instanceof WrongSettings)
    return error
  }
  assert.fail('no problem found')
}

function problems(text: string): readonly string[] {
  return failureOf(text).problems
}
