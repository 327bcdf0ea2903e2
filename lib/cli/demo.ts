// podweir demo: a pretend cluster with real traffic, the real agent watching it, and a receipt at the end.
import { mkdirSync, rmSync } from 'node:fs'
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
import { ownProcess } from '../host/own-process.ts'
import { podweirVersion } from '../host/version.ts'
import { Pipeline } from '../pipeline.ts'
import { buildReceipt, type Receipt } from '../signals/receipt.ts'
import { receiptText } from '../signals/receipt-text.ts'
import { requireClone } from './clone-only.ts'
import { Ending } from './ending.ts'
import { LiveFlows } from './live-flows.ts'
import { probeOptions } from './probe-options.ts'
import { Story } from './story.ts'

export interface DemoOptions {
  /** Without it the demo goes on until a signal ends it. */
  readonly forMs?: number | undefined
  readonly headless: boolean
  readonly output: 'text' | 'json'
  readonly otlp?: string | undefined
  readonly clean: boolean
}

const DRAIN_INTERVAL = '500ms'
const QUIESCE_MS = 10_000
const FLUSH_MS = 10_000
const CLOSE_MS = 2_000
/** For the export file. Of one demo at a time, and in a place that is root's: what a killed one left goes with the next. */
const FOLDER = '/run/podweir/demo'

export async function run(options: DemoOptions): Promise<number> {
  requireClone('demo', 'traffic')
  requireRoot()
  if (options.clean) return cleanUp()
  const log = createLog('warn')
  const story = new Story(process.stderr, log, systemClock)
  const ending = new Ending()
  const watchdog = await Watchdog.start()
  // The watchdog removes everything else.
  ending.undoBy(log, async () => removeFolder())
  removeFolder()
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 })
  const topology = new Topology()
  try {
    await topology.create()
    story.step(`${topology.interfaces.length} pretend pods in 3 namespaces`)
    const receipt = await observe(options, { topology, ended: ending.signalled, story, log })
    process.stdout.write(options.output === 'json' ? `${JSON.stringify(receipt)}\n` : `\n${receiptText(receipt)}`)
    return receipt.balanced ? 0 : 1
  } catch (error) {
    if (ending.signal === undefined) throw error
    // A terminal's Ctrl-C reaches the commands of the set-up too.
    process.stderr.write(`podweir: ${ending.signal} before the demo was set up\n`)
    return 1
  } finally {
    removeFolder()
    await watchdog.removeAll()
  }
}

interface Stage {
  readonly topology: Topology
  readonly ended: Promise<string>
  readonly story: Story
  readonly log: ReturnType<typeof createLog>
}

async function observe(options: DemoOptions, stage: Stage): Promise<Receipt> {
  const { topology, story, log } = stage
  const config = demoConfig(options.otlp)
  const source = await NativeProbeSource.open(probeOptions(config))
  story.step('can load eBPF here')
  await source.enableStatistics()
  const inventory = parseInventory(demoInventoryYaml(), 'the demo’s inventory')
  const names = new InventoryNames(inventory, [])
  const clock = systemClock
  const version = podweirVersion()
  const pipeline = new Pipeline({ source, config, names, own: ownProcess(), version, log, clock }, inventory)
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
    if (!options.headless)
      unfollow = new LiveFlows(options.output === 'json' ? process.stderr : process.stdout).follow(pipeline.feed)
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
function demoConfig(otlp: string | undefined): Config {
  const exporters = {
    file: { path: join(FOLDER, 'otlp.jsonl') },
    ...(otlp !== undefined && { otlp_grpc: { endpoint: otlp } }),
  }
  const settings = {
    receivers: {
      podweir: { attach_pace: 'off', pins: 'off', drain_interval: DRAIN_INTERVAL, collection_interval: '2s' },
    },
    exporters,
    service: {
      pipelines: { metrics: { receivers: ['podweir'], exporters: Object.keys(exporters) } },
      // With --otlp: not to be taken for this machine's real agent.
      telemetry: { resource: { 'service.instance.id': `demo/${process.pid}` } },
    },
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
  removeFolder()
  process.stdout.write(removed.length > 0 ? `removed ${removed.join(', ')}\n` : 'there was nothing to remove\n')
  return 0
}

function removeFolder(): void {
  rmSync(FOLDER, { recursive: true, force: true })
}
