// What attaching costs: how long it takes, how long others wait for RTNL meanwhile, how soon a new pod is attached, and
// what an agent with as many interfaces takes while nothing happens.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { NativeProbeSource, RETIRE_TIMES } from '../lib/capture/native-probe.ts'
import { ipBatch } from '../lib/demo/iproute.ts'
import { Attachments } from '../lib/enrich/attachments.ts'
import type { WantedInterface } from '../lib/enrich/interface-plan.ts'
import { systemClock } from '../lib/host/clock.ts'
import { asStarted, PodweirProcess } from '../test/support/podweir-process.ts'
import { benchOptions, type Limit, publish, type Result, resultOf } from './report.ts'
import { quantile, RtnlLatency } from './rtnl-latency.ts'

const PREFIX = `pwb${process.pid}`
const options = benchOptions({ full: 1, quick: 1 })
const INTERFACES = options.quick ? 20 : 200
const NEW_PODS = options.quick ? 5 : 60
const IDLE_MS = options.quick ? 5_000 : 30_000
const SETTLE_MS = options.quick ? 1_000 : 5_000
const REST_MS = 3_000
const PACE_MS = 100

const podName = (i: number) => `${PREFIX}-${i}`

async function createPods(from: number, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => from + i)
  await ipBatch(numbers.map(i => `netns add ${podName(i)}`))
  // Without IPv6 addresses they say nothing by themselves.
  const quiet = (end: string) => `link set ${end} addrgenmode none up`
  await ipBatch(numbers.map(i => `link add ${PREFIX}h${i} type veth peer name eth0 netns ${podName(i)}`))
  await ipBatch(numbers.map(i => quiet(`dev ${PREFIX}h${i}`)))
  for (const i of numbers) await ipBatch([quiet('dev eth0')], podName(i))
}

/** Never fails because something is gone already. */
async function removePods(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await ipBatch([`netns del ${podName(i)}`]).catch(() => {})
}

const wanted = (count: number): WantedInterface[] =>
  Array.from({ length: count }, (_, i) => ({
    identity: { class: 'unknown', name: podName(i), ports: new Set() },
    netns: `/run/netns/${podName(i)}`,
    device: 'eth0',
    subject: podName(i),
  }))

async function open(paceMs: number): Promise<{ source: NativeProbeSource; attachments: Attachments }> {
  const source = await NativeProbeSource.open({ flowLimit: 1024, retire: RETIRE_TIMES, auditEvery: 0 })
  const log = pino({ level: 'error' })
  const attachments = new Attachments({
    ...{ source, attach: 'auto', hook: 'auto', paceMs, log, clock: systemClock },
    onAttached: () => {},
  })
  return { source, attachments }
}

function assertAttached(attachments: Attachments, count: number): void {
  const attached = [...attachments.interfaces()].filter(({ state }) => state === 'attached').length
  if (attached !== count) throw new Error(`attached to ${attached} of ${count} interfaces`)
}

/** From the news that there are so many interfaces until the newest one is attached, ms. */
async function newPodMs(attachments: Attachments, count: number): Promise<number> {
  const startMs = performance.now()
  const looking = attachments.reconcile(wanted(count))
  const subject = podName(count - 1)
  while (![...attachments.interfaces()].some(each => each.subject === subject && each.state === 'attached'))
    await sleep(1)
  const tookMs = performance.now() - startMs
  await looking
  return tookMs
}

/** Seconds of CPU time of all its threads, as the scheduler measured it: ticks would guess at what runs so briefly. */
function cpuSeconds(pid: number): number {
  const nanoseconds = (thread: string) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + nanoseconds(thread), 0) / 1e9
}

/** Share of a core, in %. */
async function idlePercent(count: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'podweir-bench-'))
  const inventory = join(folder, 'inventory.yaml')
  const pods = wanted(count).map(({ netns }, i) => ({ namespace: 'bench', name: `pod-${i}`, interfaces: [{ netns }] }))
  writeFileSync(inventory, stringify({ pods }))
  const settings = join(folder, 'agent.yaml')
  const file = { path: join(folder, 'metrics.jsonl') }
  const receiver = { inventory, attach_pace: 'off' }
  const extensions = { api: { endpoint: `unix://${join(folder, 'agent.sock')}` } }
  writeFileSync(settings, stringify({ receivers: { podweir: receiver }, exporters: { file }, extensions }))
  const agent = new PodweirProcess(['agent', '--config', settings], { through: asStarted() })
  try {
    await agent.logged(/^exporting /, 60_000)
    await sleep(SETTLE_MS)
    const before = cpuSeconds(agent.pid)
    const startMs = performance.now()
    await sleep(IDLE_MS)
    return (100 * 1000 * (cpuSeconds(agent.pid) - before)) / (performance.now() - startMs)
  } finally {
    await agent.end('SIGTERM')
    rmSync(folder, { recursive: true })
  }
}

const results: Record<string, Result> = {}
const put = (name: string, ...values: number[]) => {
  results[name] = resultOf(values)
}
const total = INTERFACES + 2 * NEW_PODS
let rtnl: RtnlLatency | undefined
try {
  await createPods(0, total)
  rtnl = new RtnlLatency(`/run/netns/${podName(0)}`)
  await sleep(REST_MS)
  const alone = await rtnl.during(() => sleep(REST_MS))
  put('others’ change of a device while nobody attaches, p50, ms', alone.p50)
  put('others’ change of a device while nobody attaches, p95, ms', alone.p95)

  const unpaced = await open(0)
  let tookMs = 0
  const rushed = await rtnl.during(async () => {
    const startMs = performance.now()
    await unpaced.attachments.reconcile(wanted(INTERFACES))
    await unpaced.attachments.settled()
    tookMs = performance.now() - startMs
  })
  assertAttached(unpaced.attachments, INTERFACES)
  put('first attach, unpaced, s', tookMs / 1000)
  put('others meanwhile, p95, ms', rushed.p95)
  await unpaced.attachments.stop()
  await unpaced.source.close()

  const paced = await open(PACE_MS)
  const arrivalsMs: number[] = []
  const calm = await rtnl.during(async () => {
    const startMs = performance.now()
    await paced.attachments.reconcile(wanted(INTERFACES))
    await paced.attachments.settled()
    tookMs = performance.now() - startMs
  })
  put(`first attach, one in ${PACE_MS} ms, s`, tookMs / 1000)
  put('others meanwhile at that pace, p50, ms', calm.p50)
  put('others meanwhile at that pace, p95, ms', calm.p95)
  for (let i = 1; i <= NEW_PODS; i++) {
    arrivalsMs.push(await newPodMs(paced.attachments, INTERFACES + i))
    await sleep(PACE_MS)
  }
  assertAttached(paced.attachments, INTERFACES + NEW_PODS)
  put('new pod to attached, ms', ...arrivalsMs)
  put('new pod to attached, p99, ms', quantile(arrivalsMs, 0.99))
  await paced.attachments.stop()
  await paced.source.close()

  const filling = await open(PACE_MS)
  const overtakingMs: number[] = []
  await filling.attachments.reconcile(wanted(INTERFACES))
  for (let i = 1; i <= Math.min(NEW_PODS, INTERFACES / 4); i++)
    overtakingMs.push(await newPodMs(filling.attachments, INTERFACES + i))
  put('new pod to attached, while the others wait for theirs, ms', ...overtakingMs)
  put('new pod to attached, while the others wait for theirs, p99, ms', quantile(overtakingMs, 0.99))
  await filling.attachments.stop()
  await filling.source.close()
  put('idle agent, % of a core', await idlePercent(INTERFACES))
} finally {
  await rtnl?.close()
  await removePods(total)
}

const share = (name: string, limit: number) => results[name]!.median / limit
const scale = INTERFACES / 200
const limited: Record<string, number> = {
  'first attach, unpaced, s': 7 * scale,
  [`first attach, one in ${PACE_MS} ms, s`]: 40 * scale,
  'others meanwhile at that pace, p95, ms': 15,
  'new pod to attached, p99, ms': 150,
  'new pod to attached, while the others wait for theirs, p99, ms': 150,
  'idle agent, % of a core': 0.2,
}
const ratios = Object.fromEntries(
  Object.entries(limited).map(([name, limit]) => [`${name} / ${limit}`, share(name, limit)]),
)
const limits: Limit[] = Object.keys(ratios).map(ratio => ({ ratio, most: 1 }))
const waits = 'others meanwhile at that pace / while nobody attaches, p50'
ratios[waits] = share(
  'others meanwhile at that pace, p50, ms',
  results['others’ change of a device while nobody attaches, p50, ms']!.median,
)
limits.push({ ratio: waits, most: 1.5 })
publish(
  {
    name: `attach to ${INTERFACES} interfaces`,
    unit: 's, ms and %, as each row says',
    rounds: options.rounds,
    results,
    ratios,
  },
  limits,
  options,
)
