// `podweir config`: checks a settings file, or prints what it comes to.
import { type Config, loadConfig } from '../config/config.ts'
import { describeSettings } from '../config/describe.ts'
import { destinationText } from '../config/destination.ts'
import { formatDuration } from '../config/duration.ts'
import type { ExporterConfig } from '../config/exporters.ts'
import { type Inventory, loadInventory } from '../config/inventory.ts'
import { signalsOf } from '../config/outlets.ts'
import { type SettingsSources, sourcesText } from '../config/settings-sources.ts'
import { settingsText } from '../config/settings-text.ts'
import { Failure } from '../host/failure.ts'
import { checkAttributeProcessors } from '../signals/attribute-check.ts'

/** Exit code 0, or 2 for what is wrong in a file, 1 for a file that can't be read. */
export async function check(sources: SettingsSources): Promise<number> {
  return reportingFailures(() => {
    const { config } = loadConfig(sources)
    checkAttributeProcessors(config)
    const inventory = config.inventoryFile === undefined ? undefined : loadInventory(config.inventoryFile)
    printWarnings(config)
    process.stdout.write(`${[`${sourcesText(sources)}: ok`, ...summary(config, inventory)].join('\n')}\n`)
  })
}

/** `origin`: with the place of each value, or what else decided. */
export async function print(sources: SettingsSources, origin = false): Promise<number> {
  return reportingFailures(() => {
    const { config, document } = loadConfig(sources)
    printWarnings(config)
    process.stdout.write(settingsText(describeSettings(config), document, origin))
  })
}

function reportingFailures(run: () => void): number {
  try {
    run()
    return 0
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    process.stderr.write(`${error.message}\n`)
    return error.exitCode
  }
}

function printWarnings(config: Config): void {
  for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`)
}

function summary(config: Config, inventory: Inventory | undefined): string[] {
  const { attach, hook, flowLimit, drainIntervalMs, exportIntervalMs } = config
  const drained = `drained every ${formatDuration(drainIntervalMs)}`
  return [
    `  capture    attach ${attach}, hook ${hook}, ${flowLimit} flows, ${drained}`,
    `  inventory  ${describeInventory(inventory)}`,
    `  export     every ${formatDuration(exportIntervalMs)}, detail ${config.detail}, ${config.seriesLimit} series`,
    ...config.exporters.map(exporter => `             ${describeExporter(exporter, config)}`),
    `  api        ${config.apiEndpoint ?? 'off'}`,
  ]
}

function describeInventory(inventory: Inventory | undefined): string {
  if (!inventory) return 'none: every named network namespace is a pod'
  const { file, pods, services, cidrs } = inventory
  return `${file}: ${pods.length} pods, ${services.length} services, ${cidrs.length} CIDRs`
}

function describeExporter(exporter: ExporterConfig, config: Config): string {
  const signals = signalsOf(config, exporter.id)
  return `${exporter.id} (${signals.join(', ')}): ${destinationText(exporter, signals)}`
}
