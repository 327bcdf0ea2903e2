// Runs courses through our dispatchers and through the compared programs, all behind one wrapper.
import { NativeProbeSource, type ProgramInfo } from '../lib/capture/native-probe.ts'
import { KernelObject, key32, putProgram, testRun, writeMap } from '../test/support/kernel.ts'
import { allAfter } from '../test/support/retire-times.ts'
import { COURSES, type Course, MANY_FLOWS, NEW_FLOWS } from './course.ts'
import type { Samples } from './samples.ts'

export const BASELINE = 'hash_atomics'
const OTHERS = ['hash_spinlock', 'percpu_lru']
/** One interface gets four fifths of the slots: all flows of a course have theirs. */
const FLOW_LIMIT = (MANY_FLOWS / 4) * 5 + 1024
/** Runs per flow before the clock starts, so that tables and caches are as they stay. */
const WARM_UP = 3

/** What the wrapper calls for a packet from the pod and to it. */
interface Variant {
  readonly fromPod: number
  readonly toPod: number
}

class Harness {
  readonly #vary = new KernelObject('vary')
  readonly #others: KernelObject[] = []
  readonly #variants = new Map<string, Variant>()

  constructor(ours: readonly ProgramInfo[]) {
    const empty = this.#vary.programs.empty!
    const id = (prefix: string) => ours.find(({ name }) => name.startsWith(prefix))!.id
    this.#variants.set('empty', { fromPod: empty, toPod: empty })
    this.#variants.set('podweir', { fromPod: id('podweir_out'), toPod: id('podweir_in') })
    for (const name of [BASELINE, ...OTHERS]) this.renew(name)
  }

  /** A compared program with an empty table. */
  renew(name: string): void {
    const object = new KernelObject(name)
    this.#others.push(object)
    this.#variants.set(name, { fromPod: object.programs.from_pod!, toPod: object.programs.to_pod! })
  }

  variantsOf({ compared }: Course): string[] {
    const others = { all: [BASELINE, ...OTHERS], baseline: [BASELINE], none: [] }
    return ['empty', 'podweir', ...others[compared]]
  }

  measure(variant: string, course: Course): number {
    const { fromPod, toPod } = this.#variants.get(variant)!
    putProgram(this.#vary.maps.under_test!, 0, fromPod)
    putProgram(this.#vary.maps.under_test!, 1, toPod)
    writeMap(this.#vary.maps.course!, key32(0), course.description)
    if (course.flows > 0) this.#run(course.packet, WARM_UP * course.flows)
    return Math.min(...Array.from({ length: course.windows }, () => this.#run(course.packet, course.runs)))
  }

  #run(packet: Uint8Array, repeat: number): number {
    const { returned, nanoseconds } = testRun(this.#vary.programs.vary!, packet, { repeat })
    if (returned !== -1) throw new Error(`the wrapper did not reach the program: ${returned}`)
    return nanoseconds
  }

  close(): void {
    for (const object of [this.#vary, ...this.#others]) object.close()
  }
}

/** The wrapper's word that its TCP was what it was meant to be: in order, and sampled. */
async function checkNumbers(source: NativeProbeSource): Promise<void> {
  const { flows, rtt } = await source.drain()
  let disorder = 0
  for (const tcp of [flows.fromPod, flows.toPod])
    for (const column of [tcp.retransmits, tcp.outOfOrder, tcp.duplicateAcks, tcp.zeroWindows])
      for (const count of column) disorder += count
  if (disorder > 0) throw new Error(`the wrapper’s TCP was out of order ${disorder} times`)
  if (rtt.length === 0) throw new Error('no round trip was sampled')
}

/** Each round meets a table without any of its flows, and leaves it empty. */
async function measureNewFlows(harness: Harness, source: NativeProbeSource, course: Course, into: Samples) {
  for (const variant of harness.variantsOf(course)) {
    if (variant === BASELINE) harness.renew(BASELINE)
    into.add(variant, harness.measure(variant, course))
    if (variant !== 'podweir') continue
    const { started } = await source.drain()
    if (started.length !== course.runs) throw new Error(`${started.length} new flows instead of ${course.runs}`)
    await emptied(source)
  }
}

async function emptied(source: NativeProbeSource): Promise<void> {
  for (let drains = 0; (await source.drain()).liveFlows > 0; drains++)
    if (drains > 10) throw new Error('the table did not become empty')
}

/** Loads everything anew and measures some rounds of each course, into its place. */
export async function measureLoad(
  netns: string,
  rounds: number,
  into: ReadonlyMap<Course, Samples>,
): Promise<readonly ProgramInfo[]> {
  const source = await NativeProbeSource.open({ flowLimit: FLOW_LIMIT, retire: allAfter(0), auditEvery: 0 })
  try {
    await source.attach({ netns, device: 'eth0', place: 'pod', hook: 'auto' })
    const { programs } = await source.inspect()
    const harness = new Harness(programs)
    for (const course of COURSES)
      for (let round = 0; round < rounds; round++)
        for (const variant of harness.variantsOf(course))
          into.get(course)!.add(variant, harness.measure(variant, course))
    await checkNumbers(source)
    await emptied(source)
    for (const course of NEW_FLOWS)
      for (let round = 0; round < rounds; round++) await measureNewFlows(harness, source, course, into.get(course)!)
    harness.close()
    return programs
  } finally {
    await source.close()
  }
}
