// What the agent does: settings file, then `OTEL_*` variables, then defaults. The only reader of the environment.
import { readFileSync } from 'node:fs'
import type { LogLevel } from '../host/log.ts'
import { formatDuration } from './duration.ts'
import { defaultExporter, durationBetween, type ExporterConfig, readExporters } from './exporters.ts'
import { type HealthCheckConfig, healthCheckConfig } from './health-check.ts'
import { type KubernetesConfig, kubernetesConfig } from './kubernetes.ts'
import { warnOfOtlpVariables } from './otlp-variables.ts'
import { usedExporters } from './pipelines.ts'
import { type ReceiverSettings, type RetireConfig, retireConfig } from './receiver.ts'
import { environmentResource } from './resource.ts'
import { readSettings, type Settings } from './schema.ts'
import { refuseContradiction, type ScopeConfig } from './scope.ts'
import type { Environment } from './substitution.ts'
import { unreadable } from './unreadable.ts'
import { YamlDocument } from './yaml-document.ts'

export interface Config {
  /** Which end of a pod's pair of devices to attach to. */
  readonly attach: 'auto' | 'host' | 'pod'
  readonly hook: 'auto' | 'tcx' | 'clsact'
  /** Least time from one attach to the next, ms; 0: none. */
  readonly attachPaceMs: number
  /** Flows in kernel memory at the same time. */
  /** Directory in a BPF file system for what is to outlive the agent; absent: nothing is. */
  readonly pins?: string
  readonly onStop: 'detach' | 'keep'
  readonly flowLimit: number
  /** Which metrics of edges there are. */
  readonly detail: 'basic' | 'full'
  /** What tells the ends of edges apart. */
  readonly level: 'namespace' | 'workload' | 'pod' | 'address'
  /** Whether bytes from zone to zone are counted. */
  readonly zones: 'on' | 'off'
  /** Series of edges and pairs of owners; what exceeds it shares one per metric. */
  readonly seriesLimit: number
  readonly drainIntervalMs: number
  readonly exportIntervalMs: number
  readonly retire: RetireConfig
  /** How often the kernel's table is compared with its own totals; 0: never. */
  readonly auditIntervalMs: number
  /** Share of a core that our programs may take before TCP detail is given up; 0: any. */
  readonly cpuBudget: number
  readonly inventoryFile?: string
  /** `auto`: pods are found by their processes, beside what an inventory lists. Absent: `auto` without an inventory. */
  readonly discovery?: 'auto' | 'inventory'
  readonly kubernetes: KubernetesConfig
  /** What is observed and what is left out. */
  readonly scope: ScopeConfig
  /** Whether flows of our own exporters are exported. */
  readonly ownTraffic: 'exclude' | 'include'
  /** What is counted beside flows. */
  readonly modules: { readonly drops: boolean; readonly dns: boolean }
  /** At least one. */
  readonly exporters: readonly ExporterConfig[]
  /** `unix:///PATH`; absent: no API. */
  readonly apiEndpoint?: string
  /** Absent: nobody asks by HTTP whether we are ready. */
  readonly healthCheck?: HealthCheckConfig
  readonly logLevel: LogLevel
  /** What the user sets of the agent's resource; it beats what the agent finds out. */
  readonly resourceAttributes: Readonly<Record<string, string>>
  /** For the log: what is allowed but hardly meant. */
  readonly warnings: readonly string[]
}

const defaultExportIntervalMs = 10_000

/** Throws `WrongSettings` (exit code 2) for what is in the file, `Failure` (1) when it can't be read. */
export function loadConfig(file: string | undefined): Config {
  if (file === undefined) return parseConfig('', 'defaults', process.env)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable('read configuration', file, error)
  }
  return parseConfig(text, file, process.env)
}

export function parseConfig(text: string, file: string, environment: Environment): Config {
  const document = new YamlDocument(text, file, environment)
  const warnings: string[] = []
  const settings = readSettings(document)
  const exporters = exportersOf(document, settings, environment, warnings)
  refuseContradiction(document, settings.receivers?.podweir.scope)
  document.problems.throwIfAny('check configuration')
  const { receivers, extensions, service } = settings
  const receiver = receivers!.podweir
  if (receiver.discovery === 'inventory' && receiver.inventory === undefined)
    warnings.push('discovery: inventory, but no inventory is set: nothing will be observed')
  const exportIntervalMs = exportIntervalOf(receiver, environment, warnings)
  const resourceAttributes = { ...environmentResource(environment, warnings), ...service!.telemetry.resource }
  return {
    attach: receiver.attach,
    hook: receiver.hook,
    attachPaceMs: receiver.attach_pace,
    ...(receiver.pins !== 'off' && { pins: receiver.pins }),
    onStop: receiver.on_stop,
    flowLimit: receiver.flow_limit,
    detail: receiver.detail,
    level: receiver.level,
    zones: receiver.zones,
    seriesLimit: receiver.series_limit,
    drainIntervalMs: receiver.drain_interval,
    exportIntervalMs,
    retire: retireConfig(receiver),
    auditIntervalMs: receiver.audit_interval,
    cpuBudget: receiver.cpu_budget,
    ...(receiver.inventory !== undefined && { inventoryFile: receiver.inventory }),
    ...(receiver.discovery !== undefined && { discovery: receiver.discovery }),
    kubernetes: kubernetesConfig(receiver.kubernetes, environment, resourceAttributes['k8s.node.name'], warnings),
    scope: receiver.scope,
    ownTraffic: receiver.own_traffic,
    modules: { drops: receiver.modules.drops === 'on', dns: receiver.modules.dns === 'on' },
    exporters,
    ...(service!.extensions.includes('api') && { apiEndpoint: extensions!.api.endpoint }),
    ...(service!.extensions.includes('health_check') && { healthCheck: healthCheckConfig(extensions!.health_check) }),
    logLevel: service!.telemetry.logs.level,
    resourceAttributes,
    warnings,
  }
}

function exportersOf(
  document: YamlDocument,
  settings: Settings,
  environment: Environment,
  warnings: string[],
): ExporterConfig[] {
  const defined = settings.exporters ?? {}
  const pipelines = settings.service?.pipelines ?? {}
  const exporters = readExporters(document, defined, environment, warnings)
  const used = usedExporters(document, pipelines, defined, exporters, warnings)
  const result = Object.keys(defined).length === 0 ? [defaultExporter(environment)] : used
  if (result.some(exporter => exporter.type === 'otlp_grpc')) warnOfOtlpVariables(environment, warnings)
  return result
}

function exportIntervalOf(receiver: ReceiverSettings, environment: Environment, warnings: string[]): number {
  const exportMs =
    receiver.collection_interval ?? environmentIntervalMs(environment, warnings) ?? defaultExportIntervalMs
  if (exportMs < receiver.drain_interval) {
    const drained = formatDuration(receiver.drain_interval)
    warnings.push(
      `collection_interval ${formatDuration(exportMs)} is shorter than drain_interval ${drained}: some exports repeat the last figures`,
    )
  }
  return exportMs
}

function environmentIntervalMs(environment: Environment, warnings: string[]): number | undefined {
  const text = environment.OTEL_METRIC_EXPORT_INTERVAL?.trim()
  if (!text) return undefined
  const ms = durationBetween(`${text}ms`, 100, 3_600_000)
  if (ms === undefined)
    warnings.push(`OTEL_METRIC_EXPORT_INTERVAL: ignored, because '${text}' is not 100 to 3600000 (ms)`)
  return ms
}
