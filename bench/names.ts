// What it costs to name the remote ends of many flows in a cluster of 50,000 pods, and what is kept for it.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { EdgeTable } from '../lib/aggregate/edge-table.ts'
import { FlowTable } from '../lib/aggregate/flow-table.ts'
import type { Identity } from '../lib/aggregate/identity.ts'
import { InterfaceLedger } from '../lib/aggregate/interface-ledger.ts'
import { addressKey, formatAddress } from '../lib/capture/address.ts'
import { ClusterNames } from '../lib/enrich/cluster-names.ts'
import { InventoryNames } from '../lib/enrich/inventory-names.ts'
import { attachment } from '../test/aggregate/small-cluster.ts'
import { HEARD_MS } from '../test/support/cluster-objects.ts'
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

/** Counts what is asked. */
class CountedNames extends ClusterNames {
  asked = 0

  override remote(...question: Parameters<ClusterNames['remote']>): Identity {
    this.asked++
    return super.remote(...question)
  }
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
const names = new CountedNames({ inventory: new InventoryNames(undefined, []), peers: 'watch', nodeName: 'none' })
tellLargeCluster(names, PODS)
const keptMegabytes = heapMegabytes() - before

const started: StartedRow[] = Array.from({ length: FLOWS }, (_, slot) => ({
  ...{ slot, remote: remoteOf(slot), remotePort: slot % 100 < SHARES.pods ? 8080 : 80, startMs: NOW_MS },
}))
const rows = flowBatch({ started })
const columns = rows.started

/** As the flow table asks: an address of bytes, then whose it is. */
function nameAll(): number {
  const startMs = performance.now()
  let named = 0
  for (let i = 0; i < FLOWS; i++) {
    const key = addressKey(columns.remoteAddress, i * 16, columns.family[i]!)
    const point = { key, protocol: columns.protocol[i]!, port: columns.remotePort[i]!, interfaceSlot: 1 }
    const address = formatAddress(columns.remoteAddress, i * 16, columns.family[i]!)
    if (names.remote(address, columns.startMs[i]!, point).class !== 'unknown') named++
  }
  if (named !== FLOWS) throw new Error(`${named} of ${FLOWS} flows have a name`)
  return performance.now() - startMs
}

const ledger = new InterfaceLedger(() => undefined)
const table = new FlowTable({
  flowLimit: FLOWS,
  names,
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
  const askedBefore = names.asked
  const startMs = performance.now()
  table.apply(known)
  const tookMs = performance.now() - startMs
  if (names.asked !== askedBefore) throw new Error(`known flows were looked up ${names.asked - askedBefore} times`)
  return tookMs
}

/** A pod comes and goes: every flow is asked for again, once. */
function countAfterChanges(): number {
  const { version } = names
  for (let i = 0; i < 100; i++) {
    names.deleted('pods', `no-such-pod-${i}`, NOW_MS)
    names.replace(undefined)
  }
  if (names.version === version) throw new Error('nothing has changed')
  const askedBefore = names.asked
  const startMs = performance.now()
  table.apply(known)
  const tookMs = performance.now() - startMs
  if (names.asked - askedBefore > FLOWS) throw new Error('flows were asked for more than once')
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
  [limits[0]!.ratio]: results['name 65,536 flows, ms']!.median / LIMIT_MS,
  [limits[1]!.ratio]: keptMegabytes / LIMIT_MB,
}
const notes = { kept: { pods: PODS, services: PODS / 10, 'heap, MB': Number(keptMegabytes.toFixed(1)) } }
publish({ name: `names of ${PODS} pods`, unit: 'ms', rounds: options.rounds, results, ratios, notes }, limits, options)
