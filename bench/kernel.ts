// Nanoseconds per packet of our programs, dispatcher included, beside three tables that others count in.
// Net of an empty program behind the same wrapper, so that the test run's own cost is in none of them.

import { NativeProbeSource, type ProgramInfo } from '../lib/capture/native-probe.ts'
import { KernelObject, key32, putProgram, testRun, writeMap } from '../test/support/kernel.ts'
import { Namespaces } from '../test/support/namespaces.ts'
import { tcp } from '../test/support/packet.ts'
import { allAfter } from '../test/support/retire-times.ts'
import { benchOptions, type Limit, publish, type Result, resultOf } from './report.ts'

const BASELINE = 'hash_atomics'
const COMPARED = [BASELINE, 'hash_spinlock', 'percpu_lru']
const MANY_FLOWS = 65_536
/** One interface gets four fifths of the slots: all flows of a course have theirs. */
const FLOW_LIMIT = (MANY_FLOWS / 4) * 5 + 1024
/** Runs per flow before the clock starts, so that tables and caches are as they stay. */
const WARM_UP = 3
/** Which pages a table got decides as much as how it is built: each load gets others. */
const ROUNDS_PER_LOAD = 4
/** 66 bytes, as an ACK has them that TCP sends with timestamps. */
const PACKET = tcp({ from: '10.0.0.2', to: '11.0.0.1', sourcePort: 1, destinationPort: 80, tcpOptionBytes: 12 })

interface Course {
  readonly name: string
  readonly flows: number
  readonly runs: number
  /** A round's value is the least of so many: short enough to fall between the machine's other work. */
  readonly windows: number
  /** What ratios are made of. In the cache a program has a floor, and what is above it is the machine's other work. */
  readonly by: 'minimum' | 'median of the rounds'
}

const COURSES: Course[] = [
  { name: '1 flow', flows: 1, runs: 20_000, windows: 20, by: 'minimum' },
  { name: '64 k flows', flows: MANY_FLOWS, runs: 131_072, windows: 1, by: 'median of the rounds' },
]
const LIMITS: Limit[] = [
  { ratio: 'podweir, 1 flow', most: 0.75 },
  { ratio: 'podweir, 64 k flows', most: 0.8 },
]

/** What the wrapper calls for a packet from the pod and to it. */
interface Variant {
  readonly fromPod: number
  readonly toPod: number
}

class Harness {
  readonly #vary = new KernelObject('vary')
  readonly #others = COMPARED.map(name => new KernelObject(name))
  readonly #variants = new Map<string, Variant>()

  constructor(ours: readonly ProgramInfo[]) {
    const empty = this.#vary.programs.empty!
    const id = (prefix: string) => ours.find(({ name }) => name.startsWith(prefix))!.id
    this.#variants.set('empty', { fromPod: empty, toPod: empty })
    this.#variants.set('podweir', { fromPod: id('podweir_out'), toPod: id('podweir_in') })
    for (const [i, { programs }] of this.#others.entries())
      this.#variants.set(COMPARED[i]!, { fromPod: programs.from_pod!, toPod: programs.to_pod! })
  }

  get variants(): string[] {
    return [...this.#variants.keys()]
  }

  measure(variant: string, { flows, runs, windows }: Course): number {
    const { fromPod, toPod } = this.#variants.get(variant)!
    putProgram(this.#vary.maps.under_test!, 0, fromPod)
    putProgram(this.#vary.maps.under_test!, 1, toPod)
    const course = new DataView(new ArrayBuffer(16))
    course.setUint32(8, flows - 1, true)
    writeMap(this.#vary.maps.course!, key32(0), new Uint8Array(course.buffer))
    this.#run(WARM_UP * flows)
    return Math.min(...Array.from({ length: windows }, () => this.#run(runs)))
  }

  #run(repeat: number): number {
    const { returned, nanoseconds } = testRun(this.#vary.programs.vary!, PACKET, { repeat })
    if (returned !== -1) throw new Error(`the wrapper did not reach the program: ${returned}`)
    return nanoseconds
  }

  close(): void {
    for (const object of [this.#vary, ...this.#others]) object.close()
  }
}

/** Samples by variant, round by round. */
type Samples = Map<string, number[]>

/** Loads everything anew and measures some rounds of each course. */
async function measureLoad(netns: string, rounds: number, into: readonly Samples[]): Promise<readonly ProgramInfo[]> {
  const source = await NativeProbeSource.open({ flowLimit: FLOW_LIMIT, retire: allAfter(3_600_000), auditEvery: 0 })
  try {
    await source.attach({ netns, device: 'eth0', place: 'pod', hook: 'auto' })
    const { programs } = await source.inspect()
    const harness = new Harness(programs)
    for (const [i, course] of COURSES.entries())
      for (let round = 0; round < rounds; round++)
        for (const variant of harness.variants) {
          const samples = into[i]!.get(variant) ?? []
          samples.push(harness.measure(variant, course))
          into[i]!.set(variant, samples)
        }
    harness.close()
    return programs
  } finally {
    await source.close()
  }
}

/** Less the empty program of the same round. */
function net(samples: Samples, variant: string): number[] {
  const empty = samples.get('empty')!
  return samples.get(variant)!.map((value, round) => value - empty[round]!)
}

/** A round in which the empty program alone was disturbed would have the least, so the minimum is one of the whole. */
function netResult(samples: Samples, variant: string): Result {
  const { min } = resultOf(samples.get(variant)!)
  return { min: min - resultOf(samples.get('empty')!).min, median: resultOf(net(samples, variant)).median }
}

/** By rounds: what disturbs a round disturbs all of its variants. */
function ratio(samples: Samples, variant: string, by: Course['by']): number {
  if (by === 'minimum') return netResult(samples, variant).min / netResult(samples, BASELINE).min
  const baseline = net(samples, BASELINE)
  return resultOf(net(samples, variant).map((value, round) => value / baseline[round]!)).median
}

const options = benchOptions({ full: 48, quick: 8 })
const namespaces = new Namespaces('pwbench')
try {
  const { a } = await namespaces.createPair()
  const courses: Samples[] = COURSES.map(() => new Map())
  let programs: readonly ProgramInfo[] = []
  for (let done = 0; done < options.rounds; done += ROUNDS_PER_LOAD)
    programs = await measureLoad(a.path, Math.min(ROUNDS_PER_LOAD, options.rounds - done), courses)
  const results: Record<string, Result> = {}
  const ratios: Record<string, number> = {}
  for (const [i, { name, by }] of COURSES.entries()) {
    const samples = courses[i]!
    for (const variant of samples.keys()) {
      if (variant === 'empty') results[`empty, ${name} (in no other row)`] = resultOf(samples.get(variant)!)
      else results[`${variant}, ${name}`] = netResult(samples, variant)
      if (variant !== 'empty' && variant !== BASELINE) ratios[`${variant}, ${name}`] = ratio(samples, variant, by)
    }
  }
  const verified = Object.fromEntries(programs.map(({ name, verifiedInstructions }) => [name, verifiedInstructions]))
  const report = { name: 'kernel', unit: 'ns per packet', rounds: options.rounds, results, ratios }
  publish({ ...report, notes: { 'verified instructions': verified } }, LIMITS, options)
} finally {
  await namespaces.remove()
}
