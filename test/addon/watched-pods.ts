// Three pods on a bridge, whose first two have their drops counted, and what grew of it while a test did something.
import assert from 'node:assert/strict'
import { type DropSource, OtherWatch } from '../../lib/capture/drop-source.ts'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import { type DropOptions, NativeDropSource } from '../../lib/capture/native-drops.ts'
import type { TrafficCounts } from '../../lib/demo/traffic-program.ts'
import { quiesce } from '../support/counters.ts'
import { type HookPlace, KernelObject, key32, readMap } from '../support/kernel.ts'
import { Namespaces, type Pod, type TestNamespace } from '../support/namespaces.ts'

export type Counts = Record<string, number>

export const CLOSED_PORT = 9

export class WatchedPods {
  readonly pods: readonly Pod[]
  readonly a: TestNamespace
  readonly b: TestNamespace
  /** Nobody watches it. */
  readonly neighbour: TestNamespace
  readonly #namespaces: Namespaces
  readonly #sources: DropSource[] = []
  #disturbance: KernelObject | undefined
  #drops!: DropSource
  #watches = { a: 0, b: 0 }

  private constructor(namespaces: Namespaces, pods: readonly Pod[]) {
    this.#namespaces = namespaces
    this.pods = pods
    ;[this.a, this.b, this.neighbour] = pods.map(({ namespace }) => namespace) as [
      TestNamespace,
      TestNamespace,
      TestNamespace,
    ]
  }

  static async create(): Promise<WatchedPods> {
    const namespaces = new Namespaces()
    const made = new WatchedPods(namespaces, await namespaces.createPods(3))
    made.#drops = await made.open()
    made.#watches = { a: await made.#drops.watch(eth0Of(made.a)), b: await made.#drops.watch(eth0Of(made.b)) }
    return made
  }

  /** Another source, closed with the rest. */
  async open(options?: DropOptions): Promise<DropSource> {
    const source = await NativeDropSource.open(options)
    this.#sources.push(source)
    return source
  }

  ofB(): Promise<Counted> {
    return countedOf(this.#drops, this.#watches.b)
  }

  ofNobody(other: keyof typeof OtherWatch): Promise<Counted> {
    return countedOf(this.#drops, OtherWatch[other])
  }

  /** What was counted while `work` ran, by us and by b's protocols: only what grew. */
  async during(work: () => Promise<unknown>): Promise<{ ofA: Counted; ofB: Counted; protocols: Counts }> {
    const read = async () => ({
      ofA: await countedOf(this.#drops, this.#watches.a),
      ofB: await this.ofB(),
      protocols: await this.b.protocols(),
    })
    const before = await read()
    await work()
    await quiesce([this.a.name, this.b.name])
    const now = await read()
    return {
      ofA: now.ofA.since(before.ofA),
      ofB: now.ofB.since(before.ofB),
      protocols: grown(before.protocols, now.protocols),
    }
  }

  /** From a. */
  datagrams(to: string, count: number, { port = CLOSED_PORT, size = 64 } = {}): Promise<TrafficCounts> {
    return this.a.traffic('udp-send', '--to', to, '--port', port, '--count', count, '--size', size)
  }

  /** From a to b, one after the other on one connection or each on its own; each request is one packet. */
  async requests(port: number, count: number, connections: 'keep' | 'each' = 'keep'): Promise<void> {
    const shape = ['--port', port, '--request', 1000, '--response', 20] as const
    await this.b.serve('tcp-serve', ...shape)
    const these = ['--to', this.b.addresses.v4, '--count', count, '--connections', connections] as const
    const { responses } = await this.a.traffic('tcp-request', ...shape, ...these)
    if (responses !== count) throw new Error(`${responses} responses to ${count} requests`)
  }

  disturb(program: 'drop_data' | 'double_data', place: HookPlace): void {
    this.calm()
    this.#disturbance = new KernelObject('disturb')
    this.#disturbance.hook(program, { ...place, where: 'tcx-tail' })
  }

  /** Packets that the disturbance dropped or added so far. */
  get disturbed(): number {
    const value = readMap(this.#disturbance!.maps.disturbed!, key32(0))!
    return Number(new BigUint64Array(value.slice().buffer)[0])
  }

  calm(): void {
    this.#disturbance?.close()
    this.#disturbance = undefined
  }

  async remove(): Promise<void> {
    this.calm()
    await Promise.all(this.#sources.map(source => source.close()))
    await this.#namespaces.remove()
  }
}

export function eth0Of({ path }: TestNamespace): AttachRequest {
  return { netns: path, device: 'eth0', place: 'pod', hook: 'auto' }
}

/** By reason, and what is in no counter: another drop that interrupts the counting of one, and others drop here too. */
export class Counted {
  readonly counts: Counts
  readonly uncounted: number

  constructor(counts: Counts, uncounted: number) {
    this.counts = counts
    this.uncounted = uncounted
  }

  since(before: Counted): Counted {
    return new Counted(grown(before.counts, this.counts), this.uncounted - before.uncounted)
  }

  /** Packets dropped for the reasons that begin like this. */
  sum(prefix = ''): number {
    const found = Object.entries(this.counts).filter(([reason]) => reason.startsWith(prefix))
    return found.reduce((total, [, packets]) => total + packets, 0)
  }

  /** These and no others, none of them twice and none of them untold. */
  assertAre(expected: Counts): void {
    const told = JSON.stringify(this)
    assert.deepEqual(Object.keys(this.counts).sort(), Object.keys(expected).sort(), told)
    for (const [reason, packets] of Object.entries(expected)) assert.ok(this.counts[reason]! <= packets, told)
    this.assertSum(Object.values(expected).reduce((total, packets) => total + packets, 0))
  }

  assertSum(packets: number, prefix = ''): void {
    const missing = packets - this.sum(prefix)
    assert.ok(missing >= 0 && missing <= this.uncounted, `${packets} packets are ${JSON.stringify(this)}`)
  }
}

export async function countedOf(source: DropSource, watched: number): Promise<Counted> {
  const { counts, uncounted } = await source.read()
  const found = counts.filter(each => each.watch === watched).map(each => [each.reason, each.packets])
  return new Counted(Object.fromEntries(found), uncounted)
}

function grown(before: Counts, now: Counts): Counts {
  const all = Object.entries(now).map(([name, value]): [string, number] => [name, value - (before[name] ?? 0)])
  return Object.fromEntries(all.filter(([, value]) => value > 0))
}
