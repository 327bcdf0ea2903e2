// The agent's pipeline inside the test's process, so that the test sees each batch and its own clock.
import { stringify } from 'yaml'
import { NativeProbeSource } from '../../lib/capture/native-probe.ts'
import { probeOptions } from '../../lib/cli/probe-options.ts'
import { parseConfig } from '../../lib/config/config.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { outletsOf } from '../../lib/config/outlets.ts'
import { podweirScope } from '../../lib/encode/scope.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import { EventOutlets } from '../../lib/export/event-outlets.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { ownProcess } from '../../lib/host/own-process.ts'
import { Pipeline } from '../../lib/pipeline.ts'
import { capturedLog } from './captured-log.ts'

export interface PipelineSettings {
  /** `receivers.podweir`; what is pinned would be the next test's. */
  readonly receiver?: Readonly<Record<string, unknown>>
  readonly exporters: Readonly<Record<string, unknown>>
  /** Each to all exporters. */
  readonly signals: readonly ('metrics' | 'traces' | 'logs')[]
  /** Of the agent. */
  readonly resource?: Readonly<Record<string, string>>
  /** As YAML. */
  readonly inventory: string
}

const QUICK = { attach_pace: 'off', drain_interval: '200ms', collection_interval: '1s', pins: 'off' }

export interface ObservedPipeline {
  readonly pipeline: Pipeline
  /** What it logged. */
  readonly messages: string[]
}

/** Not started yet. `pipeline.stop` closes everything. */
export async function openPipeline(settings: PipelineSettings): Promise<ObservedPipeline> {
  const { receiver, exporters, signals, resource = {}, inventory: inventoryText } = settings
  const carried = { receivers: ['podweir'], exporters: Object.keys(exporters) }
  const file = {
    receivers: { podweir: { ...QUICK, ...receiver } },
    exporters,
    service: {
      pipelines: Object.fromEntries(signals.map(signal => [signal, carried])),
      telemetry: { resource },
    },
  }
  const config = parseConfig(stringify(file), 'test', {})
  const inventory = parseInventory(inventoryText, 'test')
  const { log, messages } = capturedLog()
  const [traces, logs] = (['traces', 'logs'] as const).map(each => outletsOf(config, each))
  const version = '0.0.0-test'
  const clock = systemClock
  const outlets = await EventOutlets.open({ traces: traces!, logs: logs!, scope: podweirScope(version), log, clock })
  const source = await NativeProbeSource.open(probeOptions(config))
  const names = new InventoryNames(inventory, [])
  const own = ownProcess()
  return { pipeline: new Pipeline({ source, outlets, config, names, own, version, log, clock }, inventory), messages }
}
