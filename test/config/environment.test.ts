import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseConfig } from '../../lib/config/config.ts'
import type { OtlpGrpcExporterConfig } from '../../lib/config/exporters.ts'

describe('config from the environment', () => {
  it('names what the OTLP exporter will dial, and leaves the options to it', () => {
    const config = parse('', {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4317',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://b:4317',
    })
    assert.deepEqual(config.exporters, [{ type: 'otlp_grpc', id: 'otlp_grpc', target: 'http://b:4317' }])
  })

  it('lets the file beat the environment, and the environment the default', () => {
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4317', OTEL_METRIC_EXPORT_INTERVAL: '2500' }
    assert.equal(parse('', environment).exportIntervalMs, 2500)
    const config = parse(
      'receivers: {podweir: {collection_interval: 3s}}\nexporters: {otlp_grpc: {endpoint: "http://f:1"}}',
      environment,
    )
    assert.equal(config.exportIntervalMs, 3000)
    assert.equal((config.exporters[0] as OtlpGrpcExporterConfig).target, 'http://f:1')
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
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    })
    assert.deepEqual(config.resourceAttributes, {})
    assert.equal(config.exportIntervalMs, 10_000)
    assert.deepEqual(
      config.warnings.map(each => each.split(':')[0]),
      ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_METRIC_EXPORT_INTERVAL', 'OTEL_RESOURCE_ATTRIBUTES'],
    )
  })
})

function parse(text: string, environment = {}) {
  return parseConfig(text, 'a.yaml', environment)
}
