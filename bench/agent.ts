// What an agent costs in memory: its maps by the kernel's own figures, its process, and both together at their peak.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { NativeProbeSource, RETIRE_TIMES } from '../lib/capture/native-probe.ts'
import { Namespaces, type Pod } from '../test/support/namespaces.ts'
import { asStarted, PodweirProcess } from '../test/support/podweir-process.ts'
import { type Resident, residentMegabytes } from '../test/support/resident-memory.ts'
import { MemoryCgroup } from './memory-cgroup.ts'
import { benchOptions, type Limit, publish, type Result, resultOf } from './report.ts'

const MIB = 2 ** 20
const FLOW_LIMITS = [32_768, 65_536]
const DEFAULT_FLOW_LIMIT = 32_768
const KERNEL_LIMIT_MIB = 26
const KERNEL_LIMIT_PER_CPU_MIB = 0.25
const RSS_LIMIT_MB = 100
/** Flows that the agent sees while it is measured, and how long it has for them. */
const FLOWS = 5_000
const DATAGRAMS = 20_000
const SETTLE_MS = 6_000

async function kernelMebibytes(flowLimit: number): Promise<number> {
  const source = await NativeProbeSource.open({ flowLimit, retire: RETIRE_TIMES, auditEvery: 0 })
  const { maps } = await source.inspect()
  await source.close()
  return maps.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) / MIB
}

/** `0-3,8` are five. */
function possibleCpus(): number {
  const ranges = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim().split(',')
  return ranges.reduce((sum, range) => {
    const [first, last = first] = range.split('-').map(Number)
    return sum + last! - first! + 1
  }, 0)
}

function writeSettings(folder: string, pods: readonly Pod[]): string {
  const inventory = join(folder, 'inventory.yaml')
  const described = pods.map(({ namespace }, i) => ({
    namespace: 'bench',
    name: `pod-${i}`,
    interfaces: [{ netns: namespace.path, device: 'eth0' }],
    addresses: [namespace.addresses.v4],
    workload: { kind: 'Deployment', name: `pod-${i}` },
  }))
  writeFileSync(inventory, stringify({ pods: described }))
  const file = join(folder, 'agent.yaml')
  writeFileSync(
    file,
    stringify({
      receivers: { podweir: { inventory, flow_limit: DEFAULT_FLOW_LIMIT, collection_interval: '1s', pins: 'off' } },
      // Nobody listens there: the exporter is loaded, and keeps what it could not send.
      exporters: { otlp_grpc: { endpoint: 'http://127.0.0.1:9' } },
      extensions: { api: { endpoint: `unix://${join(folder, 'agent.sock')}` } },
      service: { extensions: ['api'], pipelines: { metrics: { receivers: ['podweir'], exporters: ['otlp_grpc'] } } },
    }),
  )
  return file
}

interface AgentMemory extends Resident {
  /** undefined where there is no memory controller. */
  readonly peak: number | undefined
}

async function agentMemory(pods: readonly Pod[], round: number): Promise<AgentMemory> {
  const folder = mkdtempSync(join(tmpdir(), 'podweir-bench-'))
  const cgroup = MemoryCgroup.create(`podweir-bench-${process.pid}-${round}`)
  const settings = writeSettings(folder, pods)
  const through = [...(cgroup?.entrance ?? []), ...asStarted()]
  const agent = new PodweirProcess(['agent', '--config', settings], { through })
  try {
    await agent.logged(/exporting/)
    const [client, server] = pods.map(({ namespace }) => namespace)
    const listening = await server!.serve('udp-serve', '--port', 9000)
    const to = ['--to', server!.addresses.v4, '--port', 9000] as const
    await client!.traffic('udp-send', ...to, '--count', DATAGRAMS, '--tuples', FLOWS)
    await listening.stop()
    await sleep(SETTLE_MS)
    return { ...residentMegabytes(agent.pid), peak: cgroup && cgroup.peakBytes / 1e6 }
  } finally {
    await agent.end('SIGTERM')
    cgroup?.remove()
    rmSync(folder, { recursive: true })
  }
}

const options = benchOptions({ full: 3, quick: 1 })
const results: Record<string, Result> = {}
for (const flowLimit of FLOW_LIMITS)
  results[`kernel maps at ${flowLimit} flows, MiB`] = resultOf([await kernelMebibytes(flowLimit)])

const namespaces = new Namespaces('pwbench')
const memory: AgentMemory[] = []
try {
  const pods = await namespaces.createPods(2)
  // The first start fills the compile cache.
  await agentMemory(pods, -1)
  for (let round = 0; round < options.rounds; round++) memory.push(await agentMemory(pods, round))
} finally {
  await namespaces.remove()
}
results['agent, resident, MB'] = resultOf(memory.map(({ all }) => all))
results['agent, resident without mapped maps, MB'] = resultOf(memory.map(({ own }) => own))
const peaks = memory.flatMap(({ peak }) => peak ?? [])
if (peaks.length > 0) results['agent’s cgroup at its peak, maps included, MB'] = resultOf(peaks)

const kernelLimit = KERNEL_LIMIT_MIB + KERNEL_LIMIT_PER_CPU_MIB * possibleCpus()
const kernelRatio = `kernel maps at ${DEFAULT_FLOW_LIMIT} flows / ${kernelLimit} MiB`
const residentRatio = `agent, resident without mapped maps / ${RSS_LIMIT_MB} MB`
const ratios = {
  [kernelRatio]: results[`kernel maps at ${DEFAULT_FLOW_LIMIT} flows, MiB`]!.median / kernelLimit,
  [residentRatio]: results['agent, resident without mapped maps, MB']!.median / RSS_LIMIT_MB,
}
const limits: Limit[] = [kernelRatio, residentRatio].map(ratio => ({ ratio, most: 1 }))
publish(
  { name: 'agent', unit: 'MiB and MB, as each row says', rounds: options.rounds, results, ratios },
  limits,
  options,
)
