// The effective configuration as a settings file, without secrets.
import { stringify } from 'yaml'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import type { ExporterConfig, OtlpGrpcExporterConfig } from './exporters.ts'
import { describeHealthCheck } from './health-check.ts'
import { describeKubernetes } from './kubernetes.ts'
import { describeRetire } from './receiver.ts'
import { defaultApiEndpoint } from './schema.ts'
import { describeScope } from './scope.ts'
import { formatShare } from './share.ts'

const redacted = '[REDACTED]'
const bytesPerMegabyte = 1024 * 1024

/** Reads back as the same configuration, header values aside. */
export function describeConfig(config: Config): string {
  const exporters = Object.fromEntries(config.exporters.map(each => [each.id, describeExporter(each)]))
  const settings = {
    receivers: { podweir: describeReceiver(config) },
    exporters,
    extensions: {
      api: { endpoint: config.apiEndpoint ?? defaultApiEndpoint },
      ...(config.healthCheck && { health_check: describeHealthCheck(config.healthCheck) }),
    },
    service: {
      extensions: [
        ...(config.apiEndpoint === undefined ? [] : ['api']),
        ...(config.healthCheck === undefined ? [] : ['health_check']),
      ],
      pipelines: { metrics: { receivers: ['podweir'], exporters: Object.keys(exporters) } },
      telemetry: { logs: { level: config.logLevel }, resource: config.resourceAttributes },
    },
  }
  return stringify(settings, (_key, value) => (typeof value === 'string' ? value.replaceAll('$', '$$$$') : value))
}

function describeReceiver(config: Config) {
  return {
    attach: config.attach,
    hook: config.hook,
    attach_pace: config.attachPaceMs === 0 ? 'off' : formatDuration(config.attachPaceMs),
    pins: config.pins ?? 'off',
    on_stop: config.onStop,
    flow_limit: config.flowLimit,
    detail: config.detail,
    level: config.level,
    zones: config.zones,
    series_limit: config.seriesLimit,
    drain_interval: formatDuration(config.drainIntervalMs),
    collection_interval: formatDuration(config.exportIntervalMs),
    retire: describeRetire(config.retire),
    audit_interval: config.auditIntervalMs === 0 ? 'off' : formatDuration(config.auditIntervalMs),
    cpu_budget: formatShare(config.cpuBudget),
    ...(config.inventoryFile !== undefined && { inventory: config.inventoryFile }),
    ...(config.discovery !== undefined && { discovery: config.discovery }),
    kubernetes: describeKubernetes(config.kubernetes),
    scope: describeScope(config.scope),
    own_traffic: config.ownTraffic,
    modules: { drops: onOrOff(config.modules.drops), dns: onOrOff(config.modules.dns) },
  }
}

function onOrOff(on: boolean): 'on' | 'off' {
  return on ? 'on' : 'off'
}

function describeExporter(exporter: ExporterConfig) {
  if (exporter.type === 'debug') return { verbosity: exporter.verbosity }
  if (exporter.type === 'otlp_grpc') return describeOtlp(exporter)
  const rotation = { max_megabytes: exporter.maxFileBytes / bytesPerMegabyte, max_backups: exporter.maxBackups }
  return { path: exporter.path, rotation }
}

/** What the environment decides stays out, but for the endpoint, which everybody looks for. */
function describeOtlp(exporter: OtlpGrpcExporterConfig) {
  const { tls, headers, compression, timeoutMs } = exporter
  return {
    endpoint: withoutUser(exporter.target),
    ...(tls && {
      tls: { insecure: tls.insecure, ca_file: tls.caFile, cert_file: tls.certFile, key_file: tls.keyFile },
    }),
    ...(headers && { headers: Object.fromEntries(Object.keys(headers).map(name => [name, redacted])) }),
    ...(compression !== undefined && { compression }),
    ...(timeoutMs !== undefined && { timeout: formatDuration(timeoutMs) }),
  }
}

/** The variable may hold `http://user:secret@host`, as some senders want it. */
function withoutUser(endpoint: string): string {
  return endpoint.replace(/\/\/[^/]*@/, `//${redacted}@`)
}
