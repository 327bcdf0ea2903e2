// podweir agent: from a configuration file to a running pipeline, until a signal ends it.
import { release } from 'node:os'
import { NativeDropSource } from '../capture/native-drops.ts'
import { NativeProbeSource } from '../capture/native-probe.ts'
import { dropPrivileges, PURPOSES, profileOf } from '../capture/privileges.ts'
import type { Config } from '../config/config.ts'
import { destinationText } from '../config/destination.ts'
import type { Inventory } from '../config/inventory.ts'
import { type InventoryWatch, watchInventory } from '../config/inventory-watch.ts'
import { outletsOf, signalsOf } from '../config/outlets.ts'
import { loadConfigApart, loadInventoryApart } from '../config/settings-process.ts'
import { podweirScope } from '../encode/scope.ts'
import { InventoryNames } from '../enrich/inventory-names.ts'
import { PodScope } from '../enrich/pod-scope.ts'
import { type ApiServer, startApiServer } from '../export/api-server.ts'
import { EventOutlets } from '../export/event-outlets.ts'
import { type HealthServer, startHealthServer } from '../export/health-server.ts'
import type { OwnTelemetryParts } from '../export/own-telemetry.ts'
import { systemClock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { createLog, type Log } from '../host/log.ts'
import { nodeAddresses } from '../host/node-addresses.ts'
import { inNodeNamespace } from '../host/node-namespace.ts'
import { claimNode } from '../host/only-agent.ts'
import { OwnConnections } from '../host/own-connections.ts'
import { ownProcess } from '../host/own-process.ts'
import { podweirVersion } from '../host/version.ts'
import { Pipeline } from '../pipeline.ts'
import { checkAttributeProcessors } from '../signals/attribute-check.ts'
import { openCluster } from './cluster.ts'
import { Ending } from './ending.ts'
import { probeOptions } from './probe-options.ts'
import { Story } from './story.ts'

export interface AgentOptions {
  /** Later ones add to earlier ones. */
  readonly config: readonly string[]
  /** `KEY.KEY=VALUE` each; they beat the files. */
  readonly set: readonly string[]
}

const ELSEWHERE =
  'this is not the node’s network namespace, where connections are tracked; run with hostNetwork: true, or set modules.conntrack: off (podweir doctor: PW-127)'
/** Together with the last drain it stays below the 10 s in which a stopped agent must be gone. */
const LAST_EXPORT_MS = 7_000

export async function run(options: AgentOptions): Promise<number> {
  // From here on: a signal at the start must not end us between attaching and detaching.
  const ending = new Ending()
  try {
    return await runUntil(ending, options)
  } catch (error) {
    // A terminal's Ctrl-C reaches the processes that read the settings too.
    if (ending.signal === undefined) throw error
    return 1
  }
}

async function runUntil(ending: Ending, options: AgentOptions): Promise<number> {
  const config = await loadConfigApart({ files: options.config, set: options.set })
  checkAttributeProcessors(config)
  const log = createLog(config.logLevel)
  for (const warning of config.warnings) log.warn(warning)
  const story = new Story(process.stderr, log, systemClock)
  const version = podweirVersion()
  story.begin(`podweir ${version} · kernel ${release()}`)
  for (const missing of dropPrivileges(profileOf(config))) log.warn(`missing ${missing}: ${PURPOSES[missing]}`)
  const agent = await startAgent(config, version, log, story, ending)
  const signal = await ending.signalled
  log.info({ signal }, `${signal}: last drain and last export`)
  await agent.stop()
  return 0
}

interface RunningAgent {
  stop(): Promise<void>
}

async function startAgent(
  config: Config,
  version: string,
  log: Log,
  story: Story,
  ending: Ending,
): Promise<RunningAgent> {
  const inventory = config.inventoryFile === undefined ? undefined : await loadInventoryApart(config.inventoryFile)
  const scope = new PodScope(config.scope)
  const listed = new InventoryNames(inventory, nodeAddresses(), scope)
  const onOwnPod = () => pipeline.namesChanged()
  const cluster = await openCluster({ config, inventory: listed, scope, version, log, onOwnPod })
  const names = cluster?.names ?? listed
  const ownTraffic = config.ownTraffic === 'exclude' ? new OwnConnections(systemClock) : undefined
  ownTraffic?.watch()
  await claimNode(version)
  const source = await openSource(config, story)
  ending.undoBy(log, () => source.close(config.onStop === 'keep'))
  const { programs, maps } = await source.inspect()
  const megabytes = maps.reduce((sum, map) => sum + map.memoryBytes, 0) / 1e6
  story.step(`loaded ${programs.length} programs, ${maps.length} maps (${megabytes.toFixed(1)} MB)`)
  const modules = await openModules(config, source, log, story)
  const outlets = await openOutlets(config, version, log)
  const ownTelemetry = await openOwnTelemetry(config)
  const pipeline = new Pipeline(
    {
      ...{ source, programs: source, ...modules, ...(ownTraffic && { ownTraffic }), config, names },
      ...(outlets && { outlets }),
      ...{ own: ownProcess(), version, log, clock: systemClock, ...(cluster && { cluster: cluster.state }) },
      ...(ownTelemetry && { ownTelemetry }),
    },
    inventory,
  )
  cluster?.start()
  if (cluster) story.step(`watching ${cluster.server} for names`)
  const api = await openApi(config, pipeline, log, story)
  const health = await openHealthCheck(config, pipeline, log, story)
  // With a pace this takes as long as there are many pods, and a signal is not to wait for them.
  await Promise.race([pipeline.start(), ending.signalled])
  health?.started()
  tellOfInterfaces(pipeline, config, story)
  story.step(`exporting ${config.exporters.map(each => describeExporter(each, config)).join(' · ')}`)
  tellOfFirstFlow(pipeline, story)
  const watch = watchForNames(config, inventory, pipeline, log)
  return {
    stop: async () => {
      watch?.close()
      await pipeline.stop(LAST_EXPORT_MS)
      await cluster?.close()
      await api?.close()
      ownTraffic?.close()
      await health?.close()
    },
  }
}

/** Where nothing can be pinned everything works, until the agent is killed. */
async function openSource(config: Config, story: Story): Promise<NativeProbeSource> {
  const { pins, ...options } = probeOptions(config)
  if (pins === undefined) return NativeProbeSource.open(options)
  try {
    const source = await NativeProbeSource.open({ ...options, pins })
    const { adopted, interfaces } = source.continuity!.adoption
    if (adopted) story.step(`went on from an earlier agent’s ${pins}: ${interfaces.length} interfaces`)
    return source
  } catch (error) {
    if (!(error instanceof Failure) || error.step !== 'pin') throw error
    story.note(`${error.message}: after kill -9 the next agent will start from zero`)
    return NativeProbeSource.open(options)
  }
}

/** Loaded for those who ask for it: the SDK's exporters take memory. */
async function openOwnTelemetry({ ownTelemetry }: Config) {
  if (ownTelemetry.level === 'none') return undefined
  const { OwnTelemetry } = await import('../export/own-telemetry.ts')
  return (parts: OwnTelemetryParts) => new OwnTelemetry(parts)
}

/** Who asked for it is told why it can't be had; flows are counted all the same. */
async function openModule<Source>(
  name: keyof Config['modules'],
  open: () => Promise<Source>,
  log: Log,
): Promise<Source | undefined> {
  try {
    return await open()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    log.error(`module ${name}: ${error.message}`)
    return undefined
  }
}

async function openModules({ modules }: Config, source: NativeProbeSource, log: Log, story: Story) {
  const drops = modules.drops ? await openModule('drops', () => NativeDropSource.open(), log) : undefined
  if (drops) story.step('counting drops by reason')
  const dns = modules.dns ? await openModule('dns', () => source.openDns(), log) : undefined
  if (dns) story.step('learning names from DNS')
  const nat = modules.conntrack ? await openModule('conntrack', () => source.openConntrack(), log) : undefined
  if (nat) story.step('asking connection tracking for the pods behind Services')
  if (nat && inNodeNamespace() === 'no') log.error(`module conntrack: ${ELSEWHERE}`)
  return { ...(drops && { drops }), ...(dns && { dns }), ...(nat && { nat }), sockets: source }
}

/** Absent where no pipeline carries spans or log records. */
async function openOutlets(config: Config, version: string, log: Log): Promise<EventOutlets | undefined> {
  const traces = outletsOf(config, 'traces')
  const logs = outletsOf(config, 'logs')
  if (traces.length + logs.length === 0) return undefined
  return EventOutlets.open({ traces, logs, scope: podweirScope(version), log, clock: systemClock })
}

async function openApi(config: Config, pipeline: Pipeline, log: Log, story: Story): Promise<ApiServer | undefined> {
  if (config.apiEndpoint === undefined) return undefined
  const api = await startApiServer({ endpoint: config.apiEndpoint, feed: pipeline.feed, log })
  story.step(`answering on ${api.path} (podweir flows)`)
  return api
}

async function openHealthCheck(
  { healthCheck }: Config,
  pipeline: Pipeline,
  log: Log,
  story: Story,
): Promise<HealthServer | undefined> {
  if (!healthCheck) return undefined
  const { host, port, minAttached } = healthCheck
  const health = await startHealthServer({ host, port, notReady: () => pipeline.notReady(minAttached), log })
  story.step(`answering health checks on http://${health.endpoint}/readyz`)
  return health
}

function tellOfInterfaces(pipeline: Pipeline, config: Config, story: Story): void {
  const interfaces = [...pipeline.attachments.interfaces()]
  const attached = interfaces.filter(each => each.state === 'attached' || each.state === 'degraded')
  const hooks = [...new Set(attached.map(each => `${each.attachment!.place} end, ${each.attachment!.hook}`))]
  const where = hooks.length > 0 ? ` (${hooks.join('; ')})` : ''
  story.step(`attached to ${attached.length} of ${interfaces.length} pod interfaces${where}`)
  if (interfaces.length > 0) return
  const from = config.inventoryFile ?? 'ip netns'
  story.note(`no pod interface is known (${from}): they will be attached as they appear`)
}

function tellOfFirstFlow(pipeline: Pipeline, story: Story): void {
  let told = false
  pipeline.onBatch(() => {
    if (told || pipeline.table.firstNamedAtMs === undefined) return
    told = true
    story.note('first flow with two names')
  })
}

function watchForNames(
  config: Config,
  inventory: Inventory | undefined,
  pipeline: Pipeline,
  log: Log,
): InventoryWatch | undefined {
  const file = config.inventoryFile
  if (file === undefined || inventory === undefined) return undefined
  return watchInventory(
    file,
    changed => {
      log.info(`inventory ${file}: read again`)
      pipeline.replaceInventory(changed)
    },
    failure => log.error(`${failure.message}; the inventory from before stays in use`),
    inventory,
    loadInventoryApart,
  )
}

function describeExporter(exporter: Config['exporters'][number], config: Config): string {
  return `${exporter.id} → ${destinationText(exporter, signalsOf(config, exporter.id))}`
}
