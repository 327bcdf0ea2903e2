// Two namespaces that talk TCP, Podweir on both of their interfaces, and between them whatever a test wants to go wrong.
import type { ProbeOptions } from '../../lib/capture/native-probe.ts'
import { ConnectionWatch, type ObservedFlow } from './connections.ts'
import { readProcNet } from './counters.ts'
import { Dropper, type DropRule } from './dropper.ts'
import { Forwarder, type ForwarderOptions } from './forwarder.ts'
import { Namespaces, type TestNamespace, type WireHop } from './namespaces.ts'
import { comeToRest } from './rest.ts'
import { until } from './until.ts'

export type End = 'a' | 'b'

/** Column `st` of /proc/net/tcp. */
const LISTEN = '0A'
const TIME_WAIT = '06'

export class TcpPath {
  readonly hop: WireHop
  readonly watch: ConnectionWatch
  readonly #namespaces: Namespaces
  readonly #slots: Record<End, number> = { a: 0, b: 0 }
  readonly #droppers: Dropper[] = []
  #forwarder: Forwarder | undefined

  private constructor(namespaces: Namespaces, hop: WireHop, watch: ConnectionWatch) {
    this.#namespaces = namespaces
    this.hop = hop
    this.watch = watch
  }

  static async open(options: Partial<ProbeOptions> = {}): Promise<TcpPath> {
    const path = await TcpPath.unobserved(options)
    try {
      await path.observe()
      return path
    } catch (error) {
      await path.close()
      throw error
    }
  }

  /** Podweir comes with `observe`. */
  static async unobserved(options: Partial<ProbeOptions> = {}): Promise<TcpPath> {
    const namespaces = new Namespaces()
    let watch: ConnectionWatch | undefined
    try {
      const hop = await namespaces.wireHop()
      // What is lost at the end of a transfer costs this, and not the usual 200 ms.
      for (const end of [hop.a, hop.b]) await end.ip('route replace 10.77.0.0/24 dev eth0 rto_min 20ms')
      watch = await ConnectionWatch.open(options)
      return new TcpPath(namespaces, hop, watch)
    } catch (error) {
      await watch?.close()
      await namespaces.remove()
      throw error
    }
  }

  get a(): TestNamespace {
    return this.hop.a
  }

  get b(): TestNamespace {
    return this.hop.b
  }

  async observe(): Promise<void> {
    for (const end of ['a', 'b'] as const) this.#slots[end] = await this.watch.attach(this.hop[end].path)
  }

  /** What Podweir saw at one end, as that end's pod. */
  seenAt(end: End): ObservedFlow[] {
    return this.watch.of(this.#slots[end])
  }

  /** Loses what arrives at an end, before anybody there sees it. */
  dropAt(end: End, rule: DropRule = {}): Dropper {
    const hook = { netns: this.hop[end].path, device: 'eth0', direction: 'ingress', where: 'tcx-head' } as const
    const dropper = new Dropper(hook, rule)
    this.#droppers.push(dropper)
    return dropper
  }

  /** Loses on the way, both ways: what a sends after it was seen to be sent, what it gets before it is seen. */
  loseBetween(perMille: number): void {
    for (const device of ['port', 'hop']) {
      const hook = { netns: this.hop.middle.path, device, direction: 'egress', where: 'tcx-tail' } as const
      this.#droppers.push(new Dropper(hook, { perMille, seed: perMille + this.#droppers.length }))
    }
  }

  /** From now on frames are handed over by a program. */
  async forward(options: ForwarderOptions): Promise<void> {
    this.#forwarder = await Forwarder.between(this.hop, options)
  }

  /** Waits until no connection has anything left to say and nothing moves, and drains. */
  async settle(limitMs = 30_000): Promise<void> {
    const open = async () => (await Promise.all([this.a, this.b].map(openConnections))).flat()
    let left: string[] = []
    const over = async () => {
      left = await open()
      return left.length === 0
    }
    await until(() => `connections are over: ${left.join(', ')}`, over, { limitMs, everyMs: 20 })
    await this.rest()
  }

  /** Waits until nothing moves, and drains. */
  async rest(): Promise<void> {
    await until('the forwarder has handed over everything', () => !this.#forwarder?.waiting)
    await comeToRest([this.a.name, this.b.name])
    await this.watch.drain()
  }

  async close(): Promise<void> {
    for (const dropper of this.#droppers.splice(0)) dropper.close()
    this.#forwarder?.stop()
    await this.watch.close()
    await this.#namespaces.remove()
  }
}

/** Lines of /proc/net/tcp that may still retransmit. */
async function openConnections(namespace: TestNamespace): Promise<string[]> {
  const lines = (await readProcNet('tcp', namespace.name)).trimEnd().split('\n').slice(1)
  const rows = lines.map(line => line.trim().split(/\s+/))
  return rows.filter(([, , , state]) => state !== LISTEN && state !== TIME_WAIT).map(row => row.slice(1, 4).join(' '))
}
