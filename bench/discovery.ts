// What it takes to find out whose every interface is: namespaces, processes, pairs of devices, and the plan from them.
import { randomUUID } from 'node:crypto'
import { NativeProbeSource, RETIRE_TIMES } from '../lib/capture/native-probe.ts'
import { ipBatch } from '../lib/demo/iproute.ts'
import { Discovery } from '../lib/enrich/discovery.ts'
import { InventoryNames } from '../lib/enrich/inventory-names.ts'
import { systemClock } from '../lib/host/clock.ts'
import { namespaceInode, ownProcess } from '../lib/host/own-process.ts'
import { CgroupProcess } from '../test/support/cgroup-process.ts'
import { benchOptions, interleave, type Limit, publish, resultOf } from './report.ts'

const PREFIX = `pwb${process.pid}`
const options = benchOptions({ full: 60, quick: 10 })
const PODS = options.quick ? 20 : 100
const LIMIT_MS = 15

const podName = (i: number) => `${PREFIX}-${i}`
const numbers = Array.from({ length: PODS }, (_, i) => i)

async function createPods(): Promise<CgroupProcess[]> {
  await ipBatch(numbers.map(i => `netns add ${podName(i)}`))
  await ipBatch(numbers.map(i => `link add ${PREFIX}h${i} type veth peer name eth0 netns ${podName(i)}`))
  return Promise.all(
    numbers.map(i => CgroupProcess.start(`/run/netns/${podName(i)}`, `kubepods/pod${randomUUID()}/${'0'.repeat(64)}`)),
  )
}

const sandboxes: CgroupProcess[] = []
const source = await NativeProbeSource.open({ flowLimit: 16, retire: RETIRE_TIMES, auditEvery: 0 })
try {
  sandboxes.push(...(await createPods()))
  const discovery = new Discovery({
    source,
    names: new InventoryNames(undefined, []),
    mode: 'auto',
    nodeName: undefined,
    own: ownProcess(),
    inodeOf: namespaceInode,
    clock: systemClock,
  })
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const startMs = performance.now()
    await work()
    return performance.now() - startMs
  }
  const plan = await discovery.plan(undefined)
  const found = plan.wanted.filter(({ netns }) => netns?.includes(PREFIX)).length
  if (found < PODS) throw new Error(`found ${found} of ${PODS} pods`)
  const samples = await interleave(options.rounds, {
    'the survey alone, ms': () => timed(() => source.survey()),
    'survey and plan, ms': () => timed(() => discovery.plan(undefined)),
  })
  const results = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, resultOf(values)]))
  const limitMs = (LIMIT_MS * PODS) / 100
  const ratio = `survey and plan / ${limitMs} ms`
  const ratios = { [ratio]: results['survey and plan, ms']!.median / limitMs }
  const limits: Limit[] = [{ ratio, most: 1 }]
  publish({ name: `find ${PODS} pods`, unit: 'ms', rounds: options.rounds, results, ratios }, limits, options)
} finally {
  await source.close()
  for (const sandbox of sandboxes) await sandbox.end()
  for (const i of numbers) await ipBatch([`netns del ${podName(i)}`]).catch(() => {})
}
