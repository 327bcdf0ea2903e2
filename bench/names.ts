// What it costs to name the remote ends of many flows in a cluster of 50,000 pods, and what is kept for it.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { EdgeTable } from '../lib/aggregate/edge-table.ts'
import { FlowTable } from '../lib/aggregate/flow-table.ts'
import type { Names } from '../lib/aggregate/identity.ts'
import { InterfaceLedger } from '../lib/aggregate/interface-ledger.ts'
import { addressKey } from '../lib/capture/address.ts'
import { ClusterNames } from '../lib/enrich/cluster-names.ts'
import { ClusterState } from '../lib/enrich/cluster-state.ts'
import { InventoryNames } from '../lib/enrich/inventory-names.ts'
import { attachment } from '../test/aggregate/small-cluster.ts'
import { clusterPod, HEARD_MS } from '../test/support/cluster-objects.ts'
import { flowBatch, type StartedRow } from '../test/support/flow-batch.ts'
import { podAddress, serviceAddress, tellLargeCluster } from '../test/support/large-cluster.ts'
import { benchOptions, interleave, type Limit, publish, resultOf } from './report.ts'

const FLOWS = 65_536
const options = benchOptions({ full: 40, quick: 5 })
const PODS = options.quick ? 5_000 : 50_000
const LIMIT_MS = 30
const LIMIT_MB = 40
const NOW_MS = HEARD_MS + 1000
/** Of a hundred flows so many go to pods, Services and the world. */
const SHARES = { pods: 60, services: 25 }

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapMegabytes(): number {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed / 1e6
}

function remoteOf(i: number): string {
  const kind = i % 100
  // No two flows after each other have neighbours for remote ends.
  const mixed = (i * 7919) % PODS
  if (kind < SHARES.pods) return podAddress(mixed)
  if (kind < SHARES.pods + SHARES.services) return serviceAddress(mixed % (PODS / 10))
  return `198.51.${(i >> 8) & 127}.${i & 255}`
}

const before = heapMegabytes()
const names = new ClusterNames({
  inventory: new InventoryNames(undefined, []),
  view: onChange => new ClusterState({ peers: 'watch', nodeName: 'none', onChange }),
})
tellLargeCluster(names, PODS)
const keptMegabytes = heapMegabytes() - before

const started: StartedRow[] = Array.from({ length: FLOWS }, (_, slot) => ({
  ...{ slot, remote: remoteOf(slot), remotePort: slot % 100 < SHARES.pods ? 8080 : 80, startMs: NOW_MS },
}))
const rows = flowBatch({ started })
const columns = rows.started
const { unknown } = names

/** As the flow table asks. */
function hasName(i: number): boolean {
  const address = addressKey(columns.remoteAddress, i * 16, columns.family[i]!)
  const point = { protocol: columns.protocol[i]!, port: columns.remotePort[i]!, interfaceSlot: 1 }
  return names.remote(address, columns.startMs[i]!, point) !== unknown
}

function nameAll(): number {
  const startMs = performance.now()
  let named = 0
  for (let i = 0; i < FLOWS; i++) if (hasName(i)) named++
  const tookMs = performance.now() - startMs
  if (named !== FLOWS) throw new Error(`${named} of ${FLOWS} flows have a name`)
  return tookMs
}

let asked = 0
const counted: Names = {
  get version() {
    return names.version
  },
  remote(address, atMs, point) {
    asked++
    return names.remote(address, atMs, point)
  },
}
const ledger = new InterfaceLedger(() => undefined)
const table = new FlowTable({
  flowLimit: FLOWS,
  names: counted,
  owner: () => undefined,
  edges: new EdgeTable(),
  ledger,
  startedAtMs: HEARD_MS,
})
ledger.attached(attachment(1))
const flows = started.map(({ slot }) => ({ slot: slot!, fromPodPackets: 1, fromPodBytes: 100 }))
table.apply(flowBatch({ started, flows }))
const known = flowBatch({ sequence: 2, flows })

function countKnown(): number {
  const askedBefore = asked
  const startMs = performance.now()
  table.apply(known)
  const tookMs = performance.now() - startMs
  if (asked !== askedBefore) throw new Error(`known flows were looked up ${asked - askedBefore} times`)
  return tookMs
}

/** Pods come and go: every flow is asked for again, once. */
function countAfterChanges(): number {
  const { version } = names
  for (let i = 0; i < 100; i++) {
    names.changed('pods', clusterPod({ name: `new-${i}`, addresses: [`10.250.0.${i}`] }), NOW_MS)
    names.deleted('pods', `uid-new-${i}`, NOW_MS)
  }
  if (names.version === version) throw new Error('nothing has changed')
  const askedBefore = asked
  const startMs = performance.now()
  table.apply(known)
  const tookMs = performance.now() - startMs
  if (asked - askedBefore > FLOWS) throw new Error('flows were asked for more than once')
  return tookMs
}

const samples = await interleave(options.rounds, {
  'name 65,536 flows, ms': nameAll,
  'count 65,536 known flows, ms': countKnown,
  'the same after 100 changes, ms': countAfterChanges,
})
const results = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, resultOf(values)]))
const limits: Limit[] = [
  { ratio: `name ${FLOWS} flows / ${LIMIT_MS} ms`, most: 1 },
  { ratio: `kept / ${LIMIT_MB} MB`, most: 1 },
]
const ratios = {
  // By the minimum: it waits for memory, and so do others on the machine.
  [limits[0]!.ratio]: results['name 65,536 flows, ms']!.min / LIMIT_MS,
  [limits[1]!.ratio]: keptMegabytes / LIMIT_MB,
}
const notes = { kept: { pods: PODS, services: PODS / 10, 'heap, MB': Number(keptMegabytes.toFixed(1)) } }
publish({ name: `names of ${PODS} pods`, unit: 'ms', rounds: options.rounds, results, ratios, notes }, limits, options)
