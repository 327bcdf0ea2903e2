import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseConfig } from '../../lib/config/config.ts'
import type { OtlpExporterConfig } from '../../lib/config/exporters.ts'
import { signals } from '../../lib/config/signal.ts'
import { defaultTls } from '../../lib/config/tls.ts'

describe('config from the environment', () => {
  it('sets up the exporter of a file without any, each signal by its own variables first', () => {
    const [exporter] = parse('', {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4317',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://b:4317',
      OTEL_EXPORTER_OTLP_HEADERS: 'Tenant=all,key=a%3Db',
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'tenant=logs',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '300',
      OTEL_EXPORTER_OTLP_CERTIFICATE: 'ca.pem',
    }).exporters as OtlpExporterConfig[]
    const common = { compression: 'gzip', timeoutMs: 2500, tls: { ...defaultTls, caFile: 'ca.pem' } }
    assert.equal(exporter?.id, 'otlp_grpc')
    assert.deepEqual(exporter.targets, {
      metrics: { ...common, endpoint: 'http://b:4317', headers: { tenant: 'all', key: 'a=b' } },
      traces: { ...common, endpoint: 'http://a:4317', headers: { tenant: 'all', key: 'a=b' }, timeoutMs: 300 },
      logs: { ...common, endpoint: 'http://a:4317', headers: { tenant: 'logs', key: 'a=b' } },
    })
  })

  it('adds a signal’s path to an HTTP endpoint for all, and takes one of its own as it is', () => {
    const environment = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318/base/',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://b/spans',
    }
    const [exporter] = parseConfig('', 'a.yaml', environment, []).exporters as OtlpExporterConfig[]
    assert.deepEqual([exporter?.id, exporter?.encoding], ['otlp_http', 'json'])
    assert.deepEqual(endpointsOf(exporter), [
      'http://a:4318/base/v1/metrics',
      'https://b/spans',
      'http://a:4318/base/v1/logs',
    ])
    const text = 'exporters: { otlp_http: { endpoint: "http://f:4318", logs_endpoint: "http://l/x" } }'
    const [named] = parseConfig(text, 'a.yaml', environment, []).exporters as OtlpExporterConfig[]
    assert.deepEqual(endpointsOf(named), ['http://f:4318/v1/metrics', 'http://f:4318/v1/traces', 'http://l/x'])
  })

  it('lets the file beat the environment, header by header, and the environment the default', () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4317',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://b:4317',
      OTEL_EXPORTER_OTLP_HEADERS: 'a=environment,b=environment',
      OTEL_EXPORTER_OTLP_INSECURE: 'true',
      OTEL_METRIC_EXPORT_INTERVAL: '2500',
    }
    assert.equal(parse('', environment).exportIntervalMs, 2500)
    const config = parse(
      `receivers: {podweir: {collection_interval: 3s}}
exporters: {otlp_grpc: {endpoint: "http://f:1", headers: {A: file}, tls: {insecure: false}}}`,
      environment,
    )
    assert.equal(config.exportIntervalMs, 3000)
    const { metrics } = (config.exporters[0] as OtlpExporterConfig).targets
    assert.equal(metrics.endpoint, 'http://f:1')
    assert.deepEqual(metrics.headers, { a: 'file', b: 'environment' })
    assert.equal(metrics.tls.insecure, false)
  })

  it('puts the resource together: file, service name, attributes, node name', () => {
    const environment = {
      NODE_NAME: 'pod-spec-node',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=a,team=net%20ops,k8s.cluster.name=env',
      OTEL_SERVICE_NAME: 'b',
    }
    assert.deepEqual(
      parse('service: { telemetry: { resource: { k8s.cluster.name: file } } }', environment).resourceAttributes,
      {
        'k8s.node.name': 'pod-spec-node',
        'service.name': 'b',
        team: 'net ops',
        'k8s.cluster.name': 'file',
      },
    )
    assert.equal(parse('', { ...environment, K8S_NODE_NAME: 'n' }).resourceAttributes['k8s.node.name'], 'n')
    assert.equal(
      parse('', { NODE_NAME: 'x', OTEL_RESOURCE_ATTRIBUTES: 'k8s.node.name=y' }).resourceAttributes['k8s.node.name'],
      'y',
    )
  })

  it('ignores malformed variables with a warning', () => {
    const config = parse('', {
      OTEL_RESOURCE_ATTRIBUTES: 'a=1,b',
      OTEL_METRIC_EXPORT_INTERVAL: '10s',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http',
      OTEL_EXPORTER_OTLP_HEADERS: 'a',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://me:s3cret@a',
    })
    assert.deepEqual(config.resourceAttributes, {})
    assert.equal(config.exportIntervalMs, 10_000)
    assert.deepEqual(
      config.warnings.map(each => each.split(':')[0]),
      [
        'OTEL_EXPORTER_OTLP_PROTOCOL',
        'OTEL_EXPORTER_OTLP_HEADERS',
        'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT',
        'OTEL_RESOURCE_ATTRIBUTES',
        'OTEL_METRIC_EXPORT_INTERVAL',
      ],
    )
    assert.doesNotMatch(config.warnings.join(), /s3cret/)
  })
})

function parse(text: string, environment = {}) {
  return parseConfig(text, 'a.yaml', environment)
}

function endpointsOf(exporter: OtlpExporterConfig | undefined): string[] {
  return signals.map(signal => exporter!.targets[signal].endpoint)
}
