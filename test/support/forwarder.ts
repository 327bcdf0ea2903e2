// Hands frames from one device of a namespace to another and back, each after a set time, some of them late.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { WireHop } from './namespaces.ts'

export interface ForwarderOptions {
  /** Each way, ms. */
  readonly delayMs?: number
  /** One frame in so many, of each direction, is late. */
  readonly lateEvery?: number
  readonly lateByMs?: number
  /** The thread stays on this one. */
  readonly cpu?: number
}

interface NativeForwarder {
  stop(): number
  waiting(): number
}

const build = fileURLToPath(new URL('../../build/Release/podweir-kernel.node', import.meta.url))
const { Forwarder: Native } = createRequire(import.meta.url)(build) as {
  Forwarder: new (options: Readonly<Record<string, unknown>>) => NativeForwarder
}

export class Forwarder {
  readonly #native: NativeForwarder

  private constructor(native: NativeForwarder) {
    this.#native = native
  }

  /** In the place of the bridge in the hop's middle. */
  static async between({ middle }: WireHop, options: ForwarderOptions = {}): Promise<Forwarder> {
    await middle.ip('link set port nomaster', 'link set hop nomaster', 'link del bridge')
    const { delayMs = 0, lateEvery = 0, lateByMs = 0, cpu = -1 } = options
    return new Forwarder(
      new Native({
        netns: middle.path,
        one: 'port',
        other: 'hop',
        delayNs: delayMs * 1e6,
        lateEvery,
        lateByNs: lateByMs * 1e6,
        cpu,
      }),
    )
  }

  /** Frames that wait for their time. */
  get waiting(): number {
    return this.#native.waiting()
  }

  /** The number of frames handed over; those that wait are lost. */
  stop(): number {
    return this.#native.stop()
  }
}
