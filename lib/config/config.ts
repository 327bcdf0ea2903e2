// What the agent does: settings file, then `OTEL_*` variables, then defaults. The only reader of the environment.
import { readFileSync } from 'node:fs'
import type { LogLevel } from '../host/log.ts'
import { formatDuration } from './duration.ts'
import { type ExporterConfig, readExporters } from './exporters.ts'
import { type ExtensionsConfig, readExtensions } from './extensions.ts'
import { type KubernetesConfig, kubernetesConfig } from './kubernetes.ts'
import { type LogsConfig, logsConfig } from './logs.ts'
import { NOT_YET, type NotYet, refuseNotYet } from './not-yet.ts'
import { environmentExporter } from './otlp-exporters.ts'
import { warnOfOtlpVariables } from './otlp-variables.ts'
import { outletsOf } from './outlets.ts'
import { type OwnTelemetryConfig, ownTelemetryConfig } from './own-telemetry.ts'
import { type PipelineConfig, readPipelines } from './pipelines.ts'
import { readProcessors } from './processors.ts'
import type { ReadingContext } from './reading-context.ts'
import {
  environmentIntervalMs,
  type Modules,
  modulesOf,
  type ReceiverSettings,
  type RetireConfig,
  receiverSchema,
  retireConfig,
} from './receiver.ts'
import { checkResolver, type ResolverConfig, resolverConfig } from './resolver.ts'
import { environmentResource } from './resource.ts'
import { readSettings, type Settings } from './schema.ts'
import { refuseContradiction, type ScopeConfig } from './scope.ts'
import { type SettingsSources, settingOf } from './settings-sources.ts'
import type { Environment } from './substitution.ts'
import { type TracesConfig, tracesConfig } from './traces.ts'
import { unreadable } from './unreadable.ts'
import { YamlDocument } from './yaml-document.ts'

export interface Config extends ExtensionsConfig {
  /** Which end of a pod's pair of devices to attach to. */
  readonly attach: 'auto' | 'host' | 'pod'
  readonly hook: 'auto' | 'tcx' | 'clsact'
  /** Least time from one attach to the next, ms; 0: none. */
  readonly attachPaceMs: number
  /** Directory in a BPF file system for what is to outlive the agent; absent: nothing is. */
  readonly pins?: string
  readonly onStop: 'detach' | 'keep'
  /** Flows in kernel memory at the same time. */
  readonly flowLimit: number
  /** Which metrics of edges there are. */
  readonly detail: 'basic' | 'full'
  /** What tells the ends of edges apart. */
  readonly level: 'namespace' | 'workload' | 'pod' | 'address'
  /** Whether bytes from zone to zone are counted. */
  readonly zones: 'on' | 'off'
  /** Series of edges and pairs of owners; what exceeds it shares one per metric. */
  readonly seriesLimit: number
  /** An edge that has been quiet for this time gives its series back; 0: never. */
  readonly edgeIdleMs: number
  /** Which names the metrics of pods' interfaces have: ours, or those of semantic conventions. */
  readonly podMetrics: 'podweir' | 'semconv'
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
  /** What is counted and asked beside flows. */
  readonly modules: Modules
  /** Of spans, where a pipeline carries them. */
  readonly traces: TracesConfig
  /** Of log records, where a pipeline carries them. */
  readonly logs: LogsConfig
  /** Those that a pipeline names, each once. What one gets of a signal: `outletsOf`. */
  readonly exporters: readonly ExporterConfig[]
  readonly pipelines: readonly PipelineConfig[]
  /** Of `podweir resolver`. */
  readonly resolver?: ResolverConfig
  readonly ownTelemetry: OwnTelemetryConfig
  readonly logLevel: LogLevel
  /** What the user sets of the agent's resource; it beats what the agent finds out. */
  readonly resourceAttributes: Readonly<Record<string, string>>
  /** Files that it was read from, those of `${file:}` too. */
  readonly settingsFiles: readonly string[]
  /** For the log: what is allowed but hardly meant. */
  readonly warnings: readonly string[]
}

const defaultExportIntervalMs = 10_000

/** What was made of settings, and where each of them comes from. */
export interface LoadedConfig {
  readonly config: Config
  readonly document: YamlDocument
}

/** Throws `WrongSettings` (exit code 2) for what is in the files, `Failure` (1) when one can't be read. */
export function loadConfig(sources: SettingsSources): LoadedConfig {
  const files = new Set(sources.files)
  const texts = sources.files.map(name => ({ name, text: readSettingsFile(name) }))
  const fileText = (path: string) => {
    files.add(path)
    return readFileSync(path, 'utf8')
  }
  const values = { environment: process.env, fileText }
  const document = new YamlDocument([...texts, ...sources.set.map(settingOf)], values)
  const config = configOf(document, values.environment, NOT_YET)
  return { config: { ...config, settingsFiles: [...files] }, document }
}

function readSettingsFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable('read configuration', file, error)
  }
}

/** `notYet`: what of the schema is refused. */
export function parseConfig(text: string, file: string, environment: Environment, notYet = NOT_YET): Config {
  const fileText = (path: string) => readFileSync(path, 'utf8')
  return configOf(new YamlDocument([{ name: file, text }], { environment, fileText }), environment, notYet)
}

export function configOf(document: YamlDocument, environment: Environment, notYet: readonly NotYet[]): Config {
  const warnings: string[] = []
  const settings = readSettings(document)
  const used = settings.service?.extensions ?? []
  const extensions = readExtensions(document, settings.extensions ?? {}, used, warnings)
  const flow = dataFlow({ document, settings, environment, extensions, notYet, warnings })
  refuseContradiction(document, settings.receivers?.podweir.scope)
  checkResolver({ document }, settings.receivers?.podweir.kubernetes, settings.resolver)
  refuseNotYet(document, notYet)
  document.throwIfWrong('check configuration')
  const { receivers, service } = settings
  const receiver = receivers!.podweir
  const { telemetry } = service!
  const resourceAttributes = { ...environmentResource({ document, environment, warnings }), ...telemetry.resource }
  const config = {
    ...captureConfig({ document, environment, warnings }, receiver),
    kubernetes: kubernetesConfig(
      { document, environment, warnings },
      receiver.kubernetes,
      resourceAttributes['k8s.node.name'],
    ),
    ...flow,
    ...extensions,
    ...(settings.resolver && { resolver: resolverConfig(settings.resolver) }),
    ownTelemetry: ownTelemetryConfig(telemetry.metrics, sendsMetricsByGrpc(flow), warnings),
    logLevel: telemetry.logs.level,
    resourceAttributes,
    settingsFiles: [],
    warnings,
  }
  warnOfIdleSettings(config)
  return config
}

function sendsMetricsByGrpc(flow: Pick<Config, 'pipelines' | 'exporters'>): boolean {
  return outletsOf(flow, 'metrics').some(({ exporter }) => exporter.type === 'otlp_grpc')
}

function captureConfig(context: ReadingContext, receiver: ReceiverSettings) {
  const { warnings } = context
  if (receiver.discovery === 'inventory' && receiver.inventory === undefined)
    warnings.push('discovery: inventory, but no inventory is set: nothing will be observed')
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
    edgeIdleMs: receiver.edge_idle,
    podMetrics: receiver.pod_metrics,
    drainIntervalMs: receiver.drain_interval,
    exportIntervalMs: exportIntervalOf(context, receiver),
    retire: retireConfig(receiver),
    auditIntervalMs: receiver.audit_interval,
    cpuBudget: receiver.cpu_budget,
    ...(receiver.inventory !== undefined && { inventoryFile: receiver.inventory }),
    ...(receiver.discovery !== undefined && { discovery: receiver.discovery }),
    scope: receiver.scope,
    ownTraffic: receiver.own_traffic,
    traces: tracesConfig(receiver.traces),
    logs: logsConfig(receiver.logs),
    modules: modulesOf(receiver),
  }
}

interface FlowParts extends ReadingContext {
  readonly settings: Settings
  readonly extensions: ExtensionsConfig
  readonly notYet: readonly NotYet[]
}

/** From receivers to receivers: pipelines and the exporters that they use. */
function dataFlow({ document, settings, environment, extensions, notYet, warnings }: FlowParts) {
  const defined = settings.exporters ?? {}
  const processors = readProcessors(document, settings.processors ?? {})
  const storages = new Map(extensions.fileStorages.map(each => [each.id, each]))
  const named = readExporters({ document, defined, environment, storages, warnings })
  const isDefault = Object.keys(defined).length === 0
  const speaksHttp = !notYet.some(({ setting }) => setting === 'exporters.otlp_http')
  const fallback = environmentExporter({ document, environment, warnings }, speaksHttp)
  const exporters = isDefault ? new Map([[fallback.id, fallback]]) : named
  const pipelines = readPipelines({
    ...{ document, exporters, processors, warnings },
    pipelines: settings.service?.pipelines ?? {},
    defined: { exporters: Object.keys(defined), processors: Object.keys(settings.processors ?? {}) },
  })
  const used = new Set(pipelines.flatMap(pipeline => pipeline.exporters))
  const result = [...exporters.values()].filter(({ id }) => used.has(id))
  warnOfOtlpVariables(environment, new Set(result.map(({ type }) => type)), warnings)
  return { exporters: result, pipelines }
}

/** What was set to no effect. */
function warnOfIdleSettings({ pipelines, exporters, traces, logs, warnings }: Config & { warnings: string[] }): void {
  const carried = (signal: 'traces' | 'logs') => outletsOf({ pipelines, exporters }, signal).length > 0
  const defaults = receiverSchema.parse({})
  const differs = (one: object, other: object) => JSON.stringify(one) !== JSON.stringify(other)
  if (
    !carried('traces') &&
    differs(traces, { ...tracesConfig(defaults.traces), serviceGraphMetrics: traces.serviceGraphMetrics })
  )
    warnings.push('receivers.podweir.traces: no pipeline carries traces, so that no span is made')
  if (!carried('logs') && differs(logs, logsConfig(defaults.logs)))
    warnings.push('receivers.podweir.logs: no pipeline carries logs, so that no record is made')
}

function exportIntervalOf(context: ReadingContext, receiver: ReceiverSettings): number {
  const { warnings } = context
  const exportMs = receiver.collection_interval ?? environmentIntervalMs(context) ?? defaultExportIntervalMs
  if (exportMs < receiver.drain_interval) {
    const drained = formatDuration(receiver.drain_interval)
    warnings.push(
      `collection_interval ${formatDuration(exportMs)} is shorter than drain_interval ${drained}: some exports repeat the last figures`,
    )
  }
  return exportMs
}
