// What it costs to ask connection tracking for the pods behind Services: µs of a new flow that goes to one, with and
// without; and what a look at the node's own sockets takes. It runs a second time inside the node that it makes.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { EdgeTable } from '../lib/aggregate/edge-table.ts'
import { FlowTable } from '../lib/aggregate/flow-table.ts'
import { InterfaceLedger } from '../lib/aggregate/interface-ledger.ts'
import type { FlowBatch } from '../lib/capture/flow-batch.ts'
import { NativeProbeSource, RETIRE_TIMES } from '../lib/capture/native-probe.ts'
import { parseInventory } from '../lib/config/inventory.ts'
import { runTraffic } from '../lib/demo/traffic-program.ts'
import { type FlowNameSources, FlowNames } from '../lib/enrich/flow-names.ts'
import { InventoryNames } from '../lib/enrich/inventory-names.ts'
import { systemClock } from '../lib/host/clock.ts'
import { createLog } from '../lib/host/log.ts'
import { attachment } from '../test/aggregate/small-cluster.ts'
import { Namespaces } from '../test/support/namespaces.ts'
import { benchOptions, type Limit, publish, resultOf } from './report.ts'

const FLOWS = 8_000
const ADDRESS = '10.96.0.1'
const INSIDE = 'PODWEIR_BENCH_POD'
const SOCKET_READINGS = 50
const LIMITS: Limit[] = [{ ratio: 'a new flow to a Service, with / without', most: 10 }]
const inventory = `pods:
  - { namespace: b, name: one-1, addresses: [10.77.0.2], workload: { kind: Deployment, name: one } }
  - { namespace: b, name: two-1, addresses: [10.77.0.3], workload: { kind: Deployment, name: two } }
services: [{ namespace: b, name: front, addresses: [${ADDRESS}], ports: [{ port: 80, protocol: udp }] }]
`
const rules = `table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip daddr ${ADDRESS} udp dport 80 dnat ip addr . port to numgen inc mod 2 map { 0 : 10.77.0.2 . 9, 1 : 10.77.0.3 . 9 }
  }
}`

const options = benchOptions({ full: 30, quick: 3 })
const pod = process.env[INSIDE]
if (pod === undefined) await makeNode()
else await measureIn(pod)

async function makeNode(): Promise<void> {
  const namespaces = new Namespaces('pwbench')
  try {
    const { node, pods } = await namespaces.createRouted(3)
    await node.run('sh', '-c', `nft -f - <<'RULES'\n${rules}\nRULES`)
    const again = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
    const env = { ...process.env, [INSIDE]: pods[0]!.name }
    const { status } = spawnSync('nsenter', [`--net=${node.path}`, ...again], { env, stdio: 'inherit' })
    process.exitCode = status ?? 1
  } finally {
    await namespaces.remove()
  }
}

function tableWith(sources: FlowNameSources) {
  const log = createLog('warn')
  const owner = () => undefined
  const words = new InventoryNames(parseInventory(inventory, 'bench'), [])
  const names = new FlowNames({ names: words, ...sources, owner, log, clock: systemClock })
  const edges = new EdgeTable()
  const ledger = new InterfaceLedger(owner)
  const table = new FlowTable({ flowLimit: FLOWS * 2, names, owner, edges, ledger, startedAtMs: 0 })
  ledger.attached(attachment(1))
  /** µs for each flow that has started. */
  const count = async (batch: FlowBatch) => {
    const beforeMs = performance.now()
    await names.learn(batch)
    table.apply(batch)
    return ((performance.now() - beforeMs) * 1000) / batch.started.length
  }
  return { names, count }
}

async function measureIn(netns: string): Promise<void> {
  const retire = { ...RETIRE_TIMES, datagramMs: 1_000 }
  const source = await NativeProbeSource.open({ flowLimit: FLOWS * 2, retire, auditEvery: 0 })
  const samples: Record<string, number[]> = { without: [], with: [], 'the questions alone': [], sockets: [] }
  try {
    await source.attach({ netns: `/run/netns/${netns}`, device: 'eth0', place: 'pod', hook: 'auto' })
    const nat = await source.openConntrack()
    const without = tableWith({})
    const asking = tableWith({ nat })
    for (let round = 0; round < options.rounds; round++) {
      const to = ['--to', ADDRESS, '--port', '80', '--count', `${FLOWS}`, '--tuples', `${FLOWS}`, '--size', '10']
      await runTraffic('udp-send', { netns, forSeconds: 60, arguments: to })
      const batch = await source.drain()
      const { slot, generation, length } = batch.started
      // Which of the two comes first changes from round to round.
      const order = round % 2 === 0 ? [without, asking] : [asking, without]
      for (const each of order) samples[each === asking ? 'with' : 'without']!.push(await each.count(batch))
      const beforeMs = performance.now()
      await nat.lookUp(slot, generation)
      samples['the questions alone']!.push(((performance.now() - beforeMs) * 1000) / length)
      await untilRetired(source, [without, asking])
    }
    for (let i = 0; i < SOCKET_READINGS; i++) {
      const beforeMs = performance.now()
      await source.socketsAt(Uint8Array.of(6, 17), Uint16Array.of(9100, 8125))
      samples.sockets!.push((performance.now() - beforeMs) * 1000)
    }
    const { translated, ...others } = asking.names.backends!.counts
    if (Object.values(others).some(count => count > 0)) throw new Error(JSON.stringify(asking.names.backends!.counts))
    tell(samples, translated)
  } finally {
    await source.close()
  }
}

async function untilRetired(source: NativeProbeSource, tables: ReturnType<typeof tableWith>[]): Promise<void> {
  for (;;) {
    const batch = await source.drain()
    for (const { count } of tables) await count(batch)
    if (batch.liveFlows === 0) return
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

function tell(samples: Readonly<Record<string, number[]>>, translated: number): void {
  const named = { without: 'a new flow to a Service, without', with: 'a new flow to a Service, with' } as const
  const results = Object.fromEntries(
    Object.entries(samples).map(([name, values]) => [named[name as keyof typeof named] ?? name, resultOf(values)]),
  )
  const ratios = { [LIMITS[0]!.ratio]: results[named.with]!.min / results[named.without]!.min }
  const notes = { asked: { 'flows, all translated': translated } }
  publish({ name: 'conntrack', unit: 'µs', rounds: options.rounds, results, ratios, notes }, LIMITS, options)
}
