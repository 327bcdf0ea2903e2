// What an interface costs in earnest: nanoseconds per skb on a veth by kernel statistics, and what bulk TCP loses.
import { fileURLToPath } from 'node:url'
import { NativeProbeSource } from '../lib/capture/native-probe.ts'
import { runTrafficCommand } from '../lib/demo/traffic-program.ts'
import { KernelObject } from '../test/support/kernel.ts'
import { Namespaces, type TestNamespace } from '../test/support/namespaces.ts'
import { PausedSender } from '../test/support/paused-sender.ts'
import { allAfter } from '../test/support/retire-times.ts'
import { lowerBoundOfMedian } from './median-bound.ts'
import { timeInPrograms } from './program-time.ts'
import { benchOptions, type Limit, publish, type Result, resultOf } from './report.ts'
import { Samples } from './samples.ts'

const TRAFFIC = fileURLToPath(new URL('../build/Release/podweir-traffic', import.meta.url))
const SENDER_CPU = 0
const RECEIVER_CPU = 1
const MANY_FLOWS = 65_536
/** One interface gets four fifths of the slots: all of its flows have theirs. */
const FLOW_LIMIT = (MANY_FLOWS / 4) * 5 + 8192
const PORTS = 256
const BASELINE = 'hash_atomics'
const MEDIAN = 'bulk TCP with / without, median'
const BOUND = 'bulk TCP with / without, lower 95 % bound of the median'
/** The kernel's default: the namespaces of tests have a smaller one. */
const WINDOW = 'net/ipv4/tcp_rmem=4096 131072 6291456'
const LIMITS: Limit[] = [{ ratio: BOUND, least: 0.93 }]

interface Load {
  readonly name: string
  /** What the sender runs, beside the address that it sends to. */
  readonly command: readonly (string | number)[]
  /** skbs until no flow is new any more. */
  readonly warmUp: number
}

const udp = ['udp-send', '--port', 9000, '--rate', 0]
const LOADS: readonly Load[] = [
  { name: 'bulk TCP', command: ['tcp-bulk', '--port', 5001], warmUp: 1 },
  { name: 'TCP requests on 8 connections', command: ['tcp-request', '--port', 5002, '--parallel', 8], warmUp: 1 },
  { name: 'UDP, 1 flow', command: udp, warmUp: 1 },
  { name: 'UDP, 64 k flows', command: [...udp, '--tuples', MANY_FLOWS, '--ports', PORTS], warmUp: 2 * MANY_FLOWS },
]

/** A pair of namespaces with servers in `receiver`. */
interface Way {
  readonly sender: TestNamespace
  readonly receiver: TestNamespace
}

/** A way on which one variant sits, for as long as the bench goes on. */
interface Observed extends Way {
  readonly variant: string
  readonly programs: readonly number[]
  /** What holds its programs, where that is not the source. */
  readonly object?: KernelObject
}

async function createWay(namespaces: Namespaces): Promise<Way> {
  const { a: sender, b: receiver } = await namespaces.createPair()
  await runTrafficCommand('sysctl', { netns: `${sender.name},${receiver.name}`, arguments: [WINDOW] })
  const servers = [
    await receiver.serve('tcp-serve', '--port', 5001, '--sink'),
    await receiver.serve('tcp-serve', '--port', 5002),
    await receiver.serve('udp-serve', '--port', 9000, '--ports', PORTS),
  ]
  for (const { pid } of servers) await receiver.run('taskset', '-cp', String(RECEIVER_CPU), String(pid))
  return { sender, receiver }
}

async function send({ sender, receiver }: Way, command: readonly (string | number)[], seconds: number) {
  const [role, ...args] = command
  const words = [TRAFFIC, role!, '--to', receiver.addresses.v4, '--for', seconds, ...args].map(String)
  return JSON.parse(await sender.run('taskset', '-c', String(SENDER_CPU), ...words)) as Record<string, number>
}

async function observe(namespaces: Namespaces, source: NativeProbeSource): Promise<Observed[]> {
  const ours = await createWay(namespaces)
  await source.attach({ netns: ours.sender.path, device: 'eth0', place: 'pod', hook: 'tcx' })
  const { programs } = await source.inspect()
  const dispatchers = programs.filter(({ name }) => name.startsWith('podweir_')).map(({ id }) => id)
  return [
    await observeByOther(namespaces, 'empty', new KernelObject('vary'), ['empty', 'empty']),
    { ...ours, variant: 'podweir', programs: dispatchers },
    await observeByOther(namespaces, BASELINE, new KernelObject(BASELINE), ['from_pod', 'to_pod']),
  ]
}

async function observeByOther(
  namespaces: Namespaces,
  variant: string,
  object: KernelObject,
  [fromPod, toPod]: readonly [string, string],
): Promise<Observed> {
  const way = await createWay(namespaces)
  const at = { netns: way.sender.path, device: 'eth0', where: 'tcx-head' } as const
  object.hook(fromPod, { ...at, direction: 'egress' })
  object.hook(toPod, { ...at, direction: 'ingress' })
  return { ...way, variant, programs: [...new Set([object.programs[fromPod]!, object.programs[toPod]!])], object }
}

/** Nanoseconds per skb of each load, statistics' own clock readings included: the empty program has them too. */
async function measureLoad(observed: readonly Observed[], load: Load, rounds: number, seconds: number) {
  const samples = new Samples()
  const senders = await Promise.all(
    observed.map(({ sender, receiver }) =>
      PausedSender.start(sender, SENDER_CPU, [...load.command, '--to', receiver.addresses.v4]),
    ),
  )
  for (const [i, { programs }] of observed.entries()) {
    const enough = timeInPrograms(programs).runs + load.warmUp
    while (timeInPrograms(programs).runs < enough) await senders[i]!.work(seconds * 1000)
  }
  for (let round = 0; round < rounds; round++)
    for (const [i, { programs, variant }] of observed.entries()) {
      const before = timeInPrograms(programs)
      await senders[i]!.work(seconds * 1000)
      const after = timeInPrograms(programs)
      samples.add(variant, (after.nanoseconds - before.nanoseconds) / (after.runs - before.runs))
    }
  await Promise.all(senders.map(sender => sender.stop()))
  return samples
}

/** Bytes per second with us and without, one after the other, and the other way round the next time. */
async function comparePairs(way: Way, source: NativeProbeSource, pairs: number, seconds: number) {
  const without: number[] = []
  const observed: number[] = []
  const rate = async () => (await send(way, LOADS[0]!.command, seconds)).sentBytes! / seconds
  const measureObserved = async () => {
    const { interfaceSlot } = await source.attach({ netns: way.sender.path, device: 'eth0', place: 'pod', hook: 'tcx' })
    observed.push(await rate())
    await source.detach(interfaceSlot)
    await source.drain()
  }
  await rate()
  for (let pair = 0; pair < pairs; pair++) {
    if (pair % 2 === 0) await measureObserved()
    without.push(await rate())
    if (pair % 2 === 1) await measureObserved()
  }
  return { without, observed }
}

function gigabits(bytesPerSecond: readonly number[]): Result {
  return resultOf(bytesPerSecond.map(value => (value * 8) / 1e9))
}

const options = benchOptions({ full: 20, quick: 5 })
const seconds = options.quick ? 0.3 : 1
const namespaces = new Namespaces('pwveth')
const source = await NativeProbeSource.open({ flowLimit: FLOW_LIMIT, retire: allAfter(3_600_000), auditEvery: 0 })
const results: Record<string, Result> = {}
const ratios: Record<string, number> = {}
try {
  const observed = await observe(namespaces, source)
  await source.enableStatistics()
  const measured: Samples[] = []
  for (const load of LOADS) measured.push(await measureLoad(observed, load, options.rounds, seconds / 4))
  await source.disableStatistics()
  for (const { object } of observed) object?.close()
  const { interfaces, collapsedFlows } = await source.drain()
  if (interfaces.fromPod.overflowPackets[0]! + interfaces.toPod.overflowPackets[0]! + collapsedFlows > 0)
    throw new Error('the table had no slot for each flow')
  for (const [i, { name }] of LOADS.entries()) {
    const samples = measured[i]!
    results[`empty, ${name}, ns per skb (in no other row)`] = samples.gross('empty')
    for (const variant of ['podweir', BASELINE]) results[`${variant}, ${name}, ns per skb`] = samples.net(variant)
    ratios[`podweir / ${BASELINE}, ${name}, ns per skb`] = samples.medianRatio('podweir', BASELINE)
  }
  const pairs = await comparePairs(await createWay(namespaces), source, options.rounds, seconds)
  results['bulk TCP without, Gbit/s'] = gigabits(pairs.without)
  results['bulk TCP with, Gbit/s'] = gigabits(pairs.observed)
  const quotients = pairs.observed.map((value, pair) => value / pairs.without[pair]!)
  ratios[MEDIAN] = resultOf(quotients).median
  ratios[BOUND] = lowerBoundOfMedian(quotients)
} finally {
  await source.close()
  await namespaces.remove()
}
publish({ name: 'veth', unit: 'as each row says', rounds: options.rounds, results, ratios }, LIMITS, options)
