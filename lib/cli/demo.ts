// podweir demo: a pretend cluster with real traffic, the real agent watching it, and a receipt at the end.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { NativeProbeSource } from '../capture/native-probe.ts'
import { type Config, parseConfig } from '../config/config.ts'
import { parseInventory } from '../config/inventory.ts'
import { clean, Watchdog } from '../demo/cleanup.ts'
import { demoInventoryYaml } from '../demo/demo-inventory.ts'
import { Scenario } from '../demo/scenario.ts'
import { Topology } from '../demo/topology.ts'
import { InventoryNames } from '../enrich/inventory-names.ts'
import { startApiServer } from '../export/api-server.ts'
import { systemClock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { createLog } from '../host/log.ts'
import { podweirVersion } from '../host/version.ts'
import { Pipeline } from '../pipeline.ts'
import { buildReceipt, type Receipt } from '../signals/receipt.ts'
import { receiptText } from '../signals/receipt-text.ts'
import { LiveFlows } from './live-flows.ts'
import { Story } from './story.ts'

export interface DemoOptions {
  /** Without it the demo goes on until a signal ends it. */
  readonly forMs?: number | undefined
  readonly headless: boolean
  readonly output: 'text' | 'json'
  readonly otlp?: string | undefined
  readonly clean: boolean
}

const IDLE_MS = 60_000
const DRAIN_INTERVAL = '500ms'
const QUIESCE_MS = 10_000
const FLUSH_MS = 10_000
const CLOSE_MS = 2_000

export async function run(options: DemoOptions): Promise<number> {
  requireRoot()
  if (options.clean) return cleanUp()
  const log = createLog('warn')
  const story = new Story(process.stderr, log, systemClock)
  const ended = firstSignal()
  const watchdog = await Watchdog.start()
  const folder = mkdtempSync(join(tmpdir(), 'podweir-demo-'))
  const topology = new Topology()
  try {
    await topology.create()
    story.step(`${topology.interfaces.length} pretend pods in 3 namespaces`)
    const receipt = await observe(options, { topology, folder, ended, story, log })
    process.stdout.write(options.output === 'json' ? `${JSON.stringify(receipt)}\n` : `\n${receiptText(receipt)}`)
    return receipt.balanced ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await watchdog.removeAll()
  }
}

interface Stage {
  readonly topology: Topology
  /** For the export file, which goes with the demo. */
  readonly folder: string
  readonly ended: Promise<string>
  readonly story: Story
  readonly log: ReturnType<typeof createLog>
}

async function observe(options: DemoOptions, stage: Stage): Promise<Receipt> {
  const { topology, folder, story, log } = stage
  const config = demoConfig(folder, options.otlp)
  const source = await NativeProbeSource.open({ flowLimit: config.flowLimit, idleMs: IDLE_MS })
  story.step('can load eBPF here')
  await source.enableStatistics()
  const inventory = parseInventory(demoInventoryYaml(), 'the demo’s inventory')
  const names = new InventoryNames(inventory, [])
  const ownNamespaceInode = statSync('/proc/self/ns/net').ino
  const clock = systemClock
  const version = podweirVersion()
  const pipeline = new Pipeline({ source, config, names, ownNamespaceInode, version, log, clock }, inventory)
  const api = await startApiServer({ endpoint: config.apiEndpoint!, feed: pipeline.feed, log })
  const scenario = new Scenario(topology.ipv6)
  let unfollow = () => {}
  try {
    await pipeline.start()
    story.step(`attached to ${topology.interfaces.length} interfaces before the first packet`)
    const startedAtMs = clock.nowMs()
    await topology.up()
    await scenario.start(options.forMs === undefined ? undefined : Math.ceil(options.forMs / 1000))
    story.step('traffic runs; the same flows in another terminal: sudo ./podweir flows')
    if (!options.headless) unfollow = new LiveFlows(process.stdout).follow(pipeline.feed)
    await Promise.race([scenario.finished(), stage.ended])
    unfollow()
    return await settle(pipeline, source, scenario, startedAtMs)
  } finally {
    await scenario.stop()
    await pipeline.stop(CLOSE_MS)
    await api.close()
  }
}

/** Stops the traffic, waits until every counter stands still and every request is acknowledged, and adds up. */
async function settle(
  pipeline: Pipeline,
  source: NativeProbeSource,
  scenario: Scenario,
  startedAtMs: number,
): Promise<Receipt> {
  await scenario.stop()
  const quiet = await pipeline.quiesce(QUIESCE_MS)
  if (!quiet)
    process.stderr.write('podweir: the traffic did not come to rest: the receipt may be off by what is in flight\n')
  await pipeline.flush(FLUSH_MS)
  const program = await source.programTime()
  return buildReceipt({ ...pipeline.books, table: pipeline.table, startedAtMs, program })
}

/** The agent's own configuration file, so that the demo runs what a user would. */
function demoConfig(folder: string, otlp: string | undefined): Config {
  const exporters = {
    file: { path: join(folder, 'otlp.jsonl') },
    ...(otlp !== undefined && { otlp_grpc: { endpoint: otlp } }),
  }
  const settings = {
    receivers: { podweir: { drain_interval: DRAIN_INTERVAL, collection_interval: '2s' } },
    exporters,
    service: { pipelines: { metrics: { receivers: ['podweir'], exporters: Object.keys(exporters) } } },
  }
  return parseConfig(stringify(settings), 'demo', {})
}

function requireRoot(): void {
  if (process.geteuid?.() === 0) return
  throw new Failure({
    step: 'start',
    subject: 'demo',
    cause: 'making network namespaces and loading eBPF needs root',
    remedy: 'run: sudo ./podweir demo',
  })
}

async function cleanUp(): Promise<number> {
  const removed = await clean()
  process.stdout.write(removed.length > 0 ? `removed ${removed.join(', ')}\n` : 'there was nothing to remove\n')
  return 0
}

/** The first one ends the traffic and brings the receipt; the second one ends the demo at once, and the watchdog cleans up. */
function firstSignal(): Promise<string> {
  return new Promise(resolve => {
    let seen = false
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (seen) process.exit(1)
        seen = true
        resolve(signal)
      })
  })
}
