// What the module "drops" costs: nanoseconds per dropped packet, and what a packet costs with it that is not dropped.
import { readFileSync, writeFileSync } from 'node:fs'
import { NativeDropSource } from '../lib/capture/native-drops.ts'
import { newestRuns } from '../test/support/bpf-objects.ts'
import { Namespaces, type TestNamespace } from '../test/support/namespaces.ts'
import { benchOptions, interleave, type Limit, publish, type Result, resultOf } from './report.ts'

const PROGRAM = 'drops_kfree_skb'
const STATISTICS = '/proc/sys/kernel/bpf_stats_enabled'
const DATAGRAMS = 50_000
const CLOSED_PORT = 9
const OPEN_PORT = 9000
const LIMITS: Limit[] = [
  { ratio: 'a dropped datagram, with / without', most: 1.3 },
  { ratio: 'counts per delivered datagram', most: 0 },
]

/** ns from the sender's call to the receiver's end of it: on a veth the receiver's stack runs in the sender's. */
async function timeDatagrams(from: TestNamespace, to: TestNamespace, port: number): Promise<number> {
  const before = performance.now()
  await from.traffic('udp-send', '--to', to.addresses.v4, '--port', port, '--count', DATAGRAMS, '--rate', 0)
  return ((performance.now() - before) * 1e6) / DATAGRAMS
}

interface Drops {
  /** Packets dropped so far at the watched pod. */
  packets(): Promise<number>
}

async function withDrops<T>(watched: TestNamespace | undefined, work: (drops: Drops) => Promise<T>): Promise<T> {
  const source = await NativeDropSource.open()
  try {
    const watch = watched && (await source.watch({ netns: watched.path, device: 'eth0', place: 'pod', hook: 'auto' }))
    const packets = async () => {
      const { counts } = await source.read()
      return counts.filter(each => each.watch === watch).reduce((sum, each) => sum + each.packets, 0)
    }
    return await work({ packets })
  } finally {
    await source.close()
  }
}

/** ns of a run as the kernel's statistics have it, its clock included. */
async function timeProgram(from: TestNamespace, to: TestNamespace): Promise<number> {
  const before = await newestRuns(process.pid, PROGRAM)
  await timeDatagrams(from, to, CLOSED_PORT)
  const now = await newestRuns(process.pid, PROGRAM)
  return (now.nanoseconds - before.nanoseconds) / (now.runs - before.runs)
}

const options = benchOptions({ full: 15, quick: 2 })
const namespaces = new Namespaces('pwbench')
const statisticsBefore = readFileSync(STATISTICS, 'utf8')
const results: Record<string, Result> = {}
const ratios: Record<string, number> = {}
try {
  const { a, b } = await namespaces.createPair()
  await b.serve('udp-serve', '--port', OPEN_PORT)
  let counted = 0
  const samples = await interleave(options.rounds, {
    'a dropped datagram, without': () => timeDatagrams(a, b, CLOSED_PORT),
    'a dropped datagram, with': () => withDrops(b, () => timeDatagrams(a, b, CLOSED_PORT)),
    'a delivered datagram, without': () => timeDatagrams(a, b, OPEN_PORT),
    'a delivered datagram, with': () =>
      withDrops(b, async drops => {
        const took = await timeDatagrams(a, b, OPEN_PORT)
        counted += await drops.packets()
        return took
      }),
  })
  for (const datagram of ['a dropped datagram', 'a delivered datagram']) {
    const [without, with_] = ['without', 'with'].map(each => resultOf(samples[`${datagram}, ${each}`]!))
    results[`${datagram}, without`] = without!
    results[`${datagram}, with`] = with_!
    // By minima: what is above them is the machine's other work.
    ratios[`${datagram}, with / without`] = with_!.min / without!.min
  }
  ratios['counts per delivered datagram'] = counted / (DATAGRAMS * options.rounds)
  writeFileSync(STATISTICS, '1')
  const runs = await interleave(options.rounds, {
    'the program, a watched pod’s drop': () => withDrops(b, () => timeProgram(a, b)),
    'the program, the node’s drop': () => withDrops(undefined, () => timeProgram(a, b)),
  })
  for (const [name, values] of Object.entries(runs)) results[name] = resultOf(values)
  publish({ name: 'drops', unit: 'ns', rounds: options.rounds, results, ratios }, LIMITS, options)
} finally {
  writeFileSync(STATISTICS, statisticsBefore)
  await namespaces.remove()
}
