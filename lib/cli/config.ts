// `podweir config`: checks a settings file, or prints what it comes to.
import { type Config, loadConfig } from '../config/config.ts'
import { describeConfig } from '../config/describe.ts'
import { destinationText } from '../config/destination.ts'
import { formatDuration } from '../config/duration.ts'
import type { ExporterConfig } from '../config/exporters.ts'
import { type Inventory, loadInventory } from '../config/inventory.ts'
import { signalsOf } from '../config/pipelines.ts'
import { Failure } from '../host/failure.ts'

/** Exit code 0, or 2 for what is wrong in a file, 1 for a file that can't be read. */
export async function check(file: string | undefined): Promise<number> {
  return reportingFailures(() => {
    const config = loadConfig(file)
    const inventory = config.inventoryFile === undefined ? undefined : loadInventory(config.inventoryFile)
    printWarnings(config)
    process.stdout.write(`${[`${file ?? 'defaults'}: ok`, ...summary(config, inventory)].join('\n')}\n`)
  })
}

export async function print(file: string | undefined): Promise<number> {
  return reportingFailures(() => {
    const config = loadConfig(file)
    printWarnings(config)
    process.stdout.write(describeConfig(config))
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
