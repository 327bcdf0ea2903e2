// Millions of packets on two CPUs, over live veth pairs and straight into dispatchers, and then: is each in one place?
import { setTimeout as sleep } from 'node:timers/promises'
import { NativeProbeSource, type ProbeOptions, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { addWay, Conservation, newWay, type WayCount } from './conservation.ts'
import type { DeviceCounters } from './counters.ts'
import { RunLoop } from './kernel.ts'
import { Namespaces, type TestNamespace } from './namespaces.ts'
import { comeToRest } from './rest.ts'
import { allAfter } from './retire-times.ts'
import { soakPackets } from './soak-packets.ts'
import { busy, type Ends, modest, SoakTraffic } from './soak-traffic.ts'

const CPUS = [0, 1]
const SLICE_MS = 500
const FEWEST_DRAINS = 10
/** Runs of one packet in turn. */
const REPEAT = 20

interface Phase {
  readonly name: string
  readonly options: ProbeOptions
  readonly drainEveryMs: number
}

const PHASES: readonly Phase[] = [
  {
    name: 'a table with room, production’s retire times',
    options: { flowLimit: 32_768, retire: RETIRE_TIMES, auditEvery: 1 },
    drainEveryMs: 150,
  },
  {
    // A tuple comes again about when the drain finds it idle.
    name: 'a storm of retiring flows',
    options: { flowLimit: 16_384, retire: allAfter(40), auditEvery: 8 },
    drainEveryMs: 10,
  },
  {
    name: 'a table that is too small',
    options: { flowLimit: 512, retire: allAfter(100), auditEvery: 2 },
    drainEveryMs: 30,
  },
]

export interface SoakTarget {
  /** Built packets into dispatchers, and skbs on a live veth: each of those once, although both of its ends see it. */
  readonly runs: number
  readonly liveSkbs: number
}

export interface SoakResult {
  runs: number
  liveSkbs: number
  /** All interfaces, both directions. */
  readonly sum: WayCount
  interfaces: number
  flowsStarted: number
  flowsCollapsed: number
  flowsEnded: number
  drains: number
  audits: number
  /** Each a sentence on what is in no place, or in two. */
  readonly gaps: string[]
}

/** One phase: a source of its own, and so a table of its own. */
class Soak {
  readonly books: Conservation
  runs = 0
  readonly #phase: Phase
  readonly #source: NativeProbeSource
  readonly #live: readonly Ends[]
  readonly #coming: Ends
  readonly #silent: Ends
  readonly #traffic = new SoakTraffic()
  readonly #before = new Map<TestNamespace, DeviceCounters>()
  readonly #slots = new Map<TestNamespace, number>()

  constructor(phase: Phase, source: NativeProbeSource, { live, coming, silent }: Pairs) {
    this.#phase = phase
    this.#source = source
    this.#live = live
    this.#coming = coming
    this.#silent = silent
    this.books = new Conservation(phase.options.flowLimit)
  }

  async begin(): Promise<void> {
    for (const namespace of this.#live.flatMap(({ a, b }) => [a, b])) {
      this.#before.set(namespace, await namespace.device())
      this.#slots.set(namespace, await this.#attach(namespace))
    }
    for (const namespace of [this.#silent.a, this.#silent.b]) this.#slots.set(namespace, await this.#attach(namespace))
    for (const [i, ends] of this.#live.entries()) await this.#traffic.start(ends, CPUS[i % CPUS.length]!, busy)
    await this.#traffic.start(this.#coming, CPUS[0]!, modest)
  }

  /** An interface comes and goes under traffic all the while. */
  async run({ runs, liveSkbs }: SoakTarget): Promise<void> {
    const programs = await this.#silentPrograms()
    const packets = soakPackets(this.#phase.options.flowLimit / 4)
    const enough = () => this.runs >= runs && this.liveSkbs >= liveSkbs && this.books.batches >= FEWEST_DRAINS
    for (let slice = 0; !enough(); slice++) {
      // Both CPUs in the same flows, in both directions of them, in different interfaces.
      const programOn = (i: number) => programs[(slice + i * (slice >> 2)) % programs.length]!
      const loops =
        this.runs < runs ? CPUS.map((cpu, i) => new RunLoop(programOn(i), packets, { repeat: REPEAT, cpu })) : []
      const leaving = await this.#attach(this.#coming.b)
      await this.#drainFor(SLICE_MS)
      await this.#source.detach(leaving)
      for (const loop of loops) this.runs += loop.stop()
    }
  }

  async end(): Promise<string[]> {
    const names = [...this.#live, this.#coming].flatMap(({ a, b }) => [a.name, b.name])
    await this.#traffic.stopClients()
    await comeToRest(names)
    await this.#traffic.stopServers()
    await comeToRest(names)
    for (let i = 0; i < 3; i++) this.books.add(await this.#source.drain())
    return [...this.books.gaps(), ...(await this.#deviceGaps()), ...this.#runGaps()]
  }

  async stopTraffic(): Promise<void> {
    await this.#traffic.stopClients().catch(() => {})
    await this.#traffic.stopServers().catch(() => {})
  }

  get liveSkbs(): number {
    const ends = this.#live.flatMap(({ a, b }) => [a, b])
    return ends.reduce((sum, end) => sum + this.#count(end).fromPod.skbs, 0)
  }

  async #attach({ path }: TestNamespace): Promise<number> {
    return (await this.#source.attach({ netns: path, device: 'eth0', place: 'pod', hook: 'auto' })).interfaceSlot
  }

  #count(namespace: TestNamespace) {
    return this.books.of(this.#slots.get(namespace)!)
  }

  async #silentPrograms(): Promise<number[]> {
    const { programs } = await this.#source.inspect()
    const suffixes = [this.#silent.a, this.#silent.b].map(end => this.#slots.get(end)!.toString(16).padStart(3, '0'))
    return programs.filter(({ name }) => suffixes.some(suffix => name.endsWith(`_${suffix}`))).map(({ id }) => id)
  }

  async #drainFor(ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end; ) {
      this.books.add(await this.#source.drain())
      await sleep(this.#phase.drainEveryMs)
    }
  }

  /** The kernel's own counters of each live device against what we saw there, and against what the batches say of it. */
  async #deviceGaps(): Promise<string[]> {
    const gaps: string[] = []
    for (const [namespace, before] of this.#before) {
      const now = await namespace.device()
      const { fromPod, toPod } = this.#count(namespace)
      const dropped = now.transmitDropped - before.transmitDropped
      const sent = now.transmitPackets - before.transmitPackets + dropped - fromPod.skbs
      const received = now.receivePackets - before.receivePackets - toPod.skbs
      if (sent !== 0 || received !== 0)
        gaps.push(`${namespace.name}: its device sent ${sent} and received ${received} more than were seen`)
      for (const { device, overseen, unobserved, skbs } of [fromPod, toPod])
        if (device + overseen !== skbs + unobserved)
          gaps.push(`${namespace.name}: ${device} + ${overseen} overseen, ${skbs} seen + ${unobserved} unobserved`)
    }
    return gaps
  }

  #runGaps(): string[] {
    const counts = [this.#silent.a, this.#silent.b].map(end => this.#count(end))
    const skbs = counts.reduce((sum, { fromPod, toPod }) => sum + fromPod.skbs + toPod.skbs, 0)
    return skbs === this.runs ? [] : [`${this.runs} runs of dispatchers, ${skbs} of them seen`]
  }
}

/** Two whose traffic is on different CPUs, one with an end that is attached and detached, one without any traffic. */
interface Pairs {
  readonly live: readonly Ends[]
  readonly coming: Ends
  readonly silent: Ends
}

async function createPairs(namespaces: Namespaces): Promise<Pairs> {
  const create = () => namespaces.createPair({ ipv6: true })
  return { live: [await create(), await create()], coming: await create(), silent: await create() }
}

function newResult(): SoakResult {
  const counts = { runs: 0, liveSkbs: 0, interfaces: 0, drains: 0, audits: 0 }
  return { ...counts, flowsStarted: 0, flowsCollapsed: 0, flowsEnded: 0, sum: newWay(), gaps: [] }
}

function addPhase(result: SoakResult, soak: Soak): void {
  const { books } = soak
  result.runs += soak.runs
  result.liveSkbs += soak.liveSkbs
  result.interfaces += books.interfaces.length
  for (const { flows, collapsedFlows } of books.interfaces) {
    result.flowsStarted += flows + collapsedFlows
    result.flowsCollapsed += collapsedFlows
  }
  result.flowsEnded += books.ended
  result.drains += books.batches
  result.audits += books.newest!.audit.audits
  addWay(result.sum, books.sum())
}

/** All phases, `cycles` times, each with its share of the target. `tell` hears of each phase that is over. */
export async function soak(target: SoakTarget, cycles: number, tell: (sentence: string) => void): Promise<SoakResult> {
  const namespaces = new Namespaces(`pwsoak${process.pid}`)
  const result = newResult()
  const parts = cycles * PHASES.length
  const share = { runs: Math.ceil(target.runs / parts), liveSkbs: Math.ceil(target.liveSkbs / parts) }
  try {
    const pairs = await createPairs(namespaces)
    for (let part = 0; part < parts; part++) {
      const phase = PHASES[part % PHASES.length]!
      const source = await NativeProbeSource.open(phase.options)
      const one = new Soak(phase, source, pairs)
      try {
        await one.begin()
        await one.run(share)
        result.gaps.push(...(await one.end()).map(gap => `${phase.name}: ${gap}`))
      } finally {
        await one.stopTraffic()
        await source.close()
      }
      addPhase(result, one)
      tell(`${part + 1} of ${parts}, ${phase.name}: ${result.runs + result.liveSkbs} packets so far`)
    }
  } finally {
    await namespaces.remove()
  }
  return result
}
