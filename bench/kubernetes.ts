// What the whole of a large cluster costs one agent: time and bytes of the first sync, memory while and after it.
// With `--client KUBECONFIG [NODE]` it is that agent's part alone; otherwise it makes the cluster first.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { ControlPlane as Plane } from '../test/support/kubernetes.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    pods: { type: 'string' },
    services: { type: 'string' },
    nodes: { type: 'string', default: '100' },
    'settle-s': { type: 'string', default: '20' },
    client: { type: 'string' },
    node: { type: 'string' },
  },
})
const [pods, services] = [
  values.pods ?? (values.quick ? 1_000 : 50_000),
  values.services ?? (values.quick ? 100 : 5_000),
].map(Number)

interface Memory {
  readonly rss: number
  readonly heap: number
}

if (values.client !== undefined) await measureClient(values.client, values.node)
else await measureCluster()

async function measureCluster(): Promise<void> {
  const { ControlPlane } = await import('../test/support/kubernetes.ts')
  const { loadCluster } = await import('../test/support/loaded-cluster.ts')
  const folder = mkdtempSync(join(tmpdir(), 'podweir-bench-kubernetes-'))
  let plane: Plane | undefined
  try {
    // Those that would clear away what nobody runs are left out.
    const controllers = ['serviceaccount', 'namespace', 'endpointslice'].map(each => `${each}-controller`)
    plane = await ControlPlane.start({ folder, controllers })
    const startMs = performance.now()
    await loadCluster(plane.kubeconfig, { pods: pods!, nodes: Number(values.nodes), services: services! })
    await slices(plane)
    const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
    process.stdout.write(`${pods} pods, ${services} Services, ${values.nodes} nodes; made in ${seconds} s\n`)
    const kubeconfig = await plane.exporterKubeconfig()
    for (const node of [[], ['--node', 'fake-1']]) {
      const args = [fileURLToPath(import.meta.url), '--client', kubeconfig, '--settle-s', values['settle-s'], ...node]
      process.stdout.write((await promisify(execFile)(process.execPath, args)).stdout)
    }
  } finally {
    await plane?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Until the controller has caught up. */
async function slices(plane: Plane): Promise<void> {
  for (let found = 0; found < services!; await sleep(1_000))
    found = (await plane.kubectl('-n', 'load', 'get', 'endpointslices', '-o', 'name')).split('\n').length - 1
}

/** `node`: that node's pods alone, with `peers: none`. */
async function measureClient(kubeconfig: string, node: string | undefined): Promise<void> {
  const { WatchedCluster } = await import('../test/support/watched-cluster.ts')
  const before = memory()
  const startMs = performance.now()
  const scope = node === undefined ? {} : { peers: 'none' as const, nodeName: node }
  const cluster = await WatchedCluster.open({ kubeconfig, ...scope })
  const { kept, watch } = cluster
  while (!watch.state().every(({ resource }) => kept.syncs[resource] > 0)) await sleep(10)
  const syncMs = performance.now() - startMs
  const peakMb = highWaterMb() - before.rss
  await sleep(Number(values['settle-s']) * 1_000)
  const after = memory()
  const bytes = watch
    .state()
    .map(state => `${state.resource} ${kept[state.resource].size} in ${(state.bytes / 1e6).toFixed(2)} MB`)
  const figures = [
    node === undefined ? 'peers: watch' : 'peers: none',
    `first sync ${(syncMs / 1000).toFixed(1)} s, ${watch.state().reduce((sum, { requests }) => sum + requests, 0)} requests`,
    bytes.join(', '),
    `heap +${(after.heap - before.heap).toFixed(1)} MB`,
    `RSS +${(after.rss - before.rss).toFixed(1)} MB after ${values['settle-s']} s, peak +${peakMb.toFixed(1)} MB`,
  ]
  process.stdout.write(`  ${figures.join('; ')}\n`)
  await cluster.close()
}

/** MB, with what is not used any more thrown away. */
function memory(): Memory {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss: rss / 1e6, heap: heapUsed / 1e6 }
}

function highWaterMb(): number {
  return (Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024) / 1e6
}
