// The effective configuration as settings, without secrets.
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { describeExporter } from './exporters.ts'
import { describeExtensions } from './extensions.ts'
import { describeKubernetes } from './kubernetes.ts'
import { describeLogs } from './logs.ts'
import { describeOwnTelemetry } from './own-telemetry.ts'
import type { PipelineConfig } from './pipelines.ts'
import { describeProcessor } from './processors.ts'
import { describeRetire } from './receiver.ts'
import { describeResolver } from './resolver.ts'
import { describeScope } from './scope.ts'
import { formatShare } from './share.ts'
import { describeTraces } from './traces.ts'
import { formatDurationOrOff } from './validation.ts'

/** Keys and values as a settings file has them; read back it is the same configuration, secrets aside. */
export function describeSettings(config: Config) {
  const processors = config.pipelines.flatMap(pipeline => pipeline.processors)
  const extensions = describeExtensions(config)
  return {
    receivers: { podweir: describeReceiver(config) },
    ...(processors.length > 0 && {
      processors: Object.fromEntries(processors.map(each => [each.id, describeProcessor(each)])),
    }),
    exporters: Object.fromEntries(config.exporters.map(each => [each.id, describeExporter(each)])),
    extensions: extensions.settings,
    ...(config.resolver && { resolver: describeResolver(config.resolver) }),
    service: {
      extensions: extensions.used,
      pipelines: Object.fromEntries(config.pipelines.map(each => [each.id, describePipeline(each)])),
      telemetry: {
        logs: { level: config.logLevel },
        metrics: describeOwnTelemetry(config.ownTelemetry),
        resource: config.resourceAttributes,
      },
    },
  }
}

function describeReceiver(config: Config) {
  return {
    attach: config.attach,
    hook: config.hook,
    attach_pace: formatDurationOrOff(config.attachPaceMs),
    pins: config.pins ?? 'off',
    on_stop: config.onStop,
    flow_limit: config.flowLimit,
    detail: config.detail,
    level: config.level,
    zones: config.zones,
    series_limit: config.seriesLimit,
    edge_idle: formatDurationOrOff(config.edgeIdleMs),
    pod_metrics: config.podMetrics,
    drain_interval: formatDuration(config.drainIntervalMs),
    collection_interval: formatDuration(config.exportIntervalMs),
    retire: describeRetire(config.retire),
    audit_interval: formatDurationOrOff(config.auditIntervalMs),
    cpu_budget: formatShare(config.cpuBudget),
    ...(config.inventoryFile !== undefined && { inventory: config.inventoryFile }),
    ...(config.discovery !== undefined && { discovery: config.discovery }),
    kubernetes: describeKubernetes(config.kubernetes),
    scope: describeScope(config.scope),
    own_traffic: config.ownTraffic,
    traces: describeTraces(config.traces),
    logs: describeLogs(config.logs),
    modules: Object.fromEntries(Object.entries(config.modules).map(([name, on]) => [name, on ? 'on' : 'off'])),
  }
}

function describePipeline({ processors, exporters }: PipelineConfig) {
  return {
    receivers: ['podweir'],
    ...(processors.length > 0 && { processors: processors.map(({ id }) => id) }),
    exporters,
  }
}
