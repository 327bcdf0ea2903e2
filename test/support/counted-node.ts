// A source on the interfaces of several namespaces, and the books of what it drained.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FlowBatch } from '../../lib/capture/flow-batch.ts'
import { NativeProbeSource, type ProbeOptions } from '../../lib/capture/native-probe.ts'
import { Conservation, type InterfaceCount, type Way } from './conservation.ts'
import type { TestNamespace } from './namespaces.ts'

const DRAIN_MS = 250

export class CountedNode {
  readonly books: Conservation
  readonly #source: NativeProbeSource
  readonly #slots = new Map<TestNamespace, number>()

  private constructor(source: NativeProbeSource, flowLimit: number) {
    this.#source = source
    this.books = new Conservation(flowLimit)
  }

  static async open(namespaces: readonly TestNamespace[], options: ProbeOptions): Promise<CountedNode> {
    const source = await NativeProbeSource.open(options)
    const node = new CountedNode(source, options.flowLimit)
    for (const namespace of namespaces) {
      const request = { netns: namespace.path, device: 'eth0', place: 'pod', hook: 'auto' } as const
      node.#slots.set(namespace, (await source.attach(request)).interfaceSlot)
    }
    return node
  }

  of(namespace: TestNamespace): InterfaceCount {
    return this.books.of(this.#slots.get(namespace)!)
  }

  /** Ids of the programs that its interface's packets meet. */
  async dispatchers(namespace: TestNamespace): Promise<Record<Way, number>> {
    const suffix = this.#slots.get(namespace)!.toString(16).padStart(3, '0')
    const { programs } = await this.#source.inspect()
    const id = (way: string) => programs.find(({ name }) => name === `podweir_${way}_${suffix}`)!.id
    return { fromPod: id('out'), toPod: id('in') }
  }

  async drain(): Promise<FlowBatch> {
    const batch = await this.#source.drain()
    this.books.add(batch)
    return batch
  }

  /** Drains every now and then until the work is done. */
  async drainDuring<T>(work: Promise<T>): Promise<T> {
    let over = false
    const done = work.finally(() => {
      over = true
    })
    while (!over) {
      await this.drain()
      await Promise.race([sleep(DRAIN_MS), done.catch(() => {})])
    }
    return done
  }

  close(): Promise<void> {
    return this.#source.close()
  }
}
