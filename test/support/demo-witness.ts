// Watches the demo's pods without asking it: devices in namespaces that outlive it, foreign programs behind ours.
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../../lib/demo/command.ts'
import { runTrafficCommand } from '../../lib/demo/traffic-program.ts'
import { LoadCounter } from './kernel.ts'

export type Direction = 'transmit' | 'receive'

export interface Witnessed {
  /** The device's own packet counter. */
  readonly device: number
  /** What passed the end of the chain of programs. */
  readonly foreign: number
}

const NAMESPACES = '/run/netns'
const NODE = 'pwd-node'
const OUTSIDE = 'pwd-stripe'
const PODS = 10
const START_LIMIT_MS = 10_000
const POLL_MS = 5

interface Pod {
  /** Keeps the namespace, and what it counts, when its name is gone. */
  readonly held: number
  readonly counters: Readonly<Record<Direction, LoadCounter>>
}

export class DemoWitness {
  /** By name, as in the receipt behind the slash. */
  readonly #pods = new Map<string, Pod>()
  #node: number | undefined

  /** To be called as soon as the demo was started; resolves when a program of ours hangs at both hooks of each pod. */
  static async watch(): Promise<DemoWitness> {
    const witness = new DemoWitness()
    try {
      for (let waitedMs = 0; witness.#pods.size < PODS; waitedMs += POLL_MS) {
        if (waitedMs > START_LIMIT_MS) throw new Error(`the demo has made ${witness.#pods.size} pods`)
        witness.#look()
        await sleep(POLL_MS)
      }
      await witness.#silenceNeighbours()
    } catch (error) {
      witness.close()
      throw error
    }
    return witness
  }

  get pods(): string[] {
    return [...this.#pods.keys()]
  }

  /** Packets that the foreign program at this hook has seen so far. */
  foreign(pod: string, direction: Direction): number {
    return this.#pods.get(pod)!.counters[direction].read().skbs
  }

  /** Resolves when the pods talk. */
  async traffic(): Promise<void> {
    for (let waitedMs = 0; this.foreign('frontend', 'transmit') < 20; waitedMs += POLL_MS) {
      if (waitedMs > START_LIMIT_MS) throw new Error('the demo has no traffic')
      await sleep(POLL_MS)
    }
  }

  /** `frontend transmit` and so on; also after the demo's end. */
  async witnessed(): Promise<Map<string, Witnessed>> {
    const rows = new Map<string, Witnessed>()
    for (const [name, { held }] of this.#pods) {
      const path = `/proc/${process.pid}/fd/${held}`
      const text = await runCommand('nsenter', [`--net=${path}`, 'cat', '/proc/net/dev'], { remedy: 'run as root' })
      const values = /^\s*eth0:(.*)$/m.exec(text)![1]!.trim().split(/\s+/).map(Number)
      rows.set(`${name} transmit`, { device: values[9]!, foreign: this.foreign(name, 'transmit') })
      rows.set(`${name} receive`, { device: values[1]!, foreign: this.foreign(name, 'receive') })
    }
    return rows
  }

  close(): void {
    for (const { held, counters } of this.#pods.values()) {
      closeSync(held)
      counters.transmit.close()
      counters.receive.close()
    }
    this.#pods.clear()
    if (this.#node !== undefined) closeSync(this.#node)
    this.#node = undefined
  }

  #look(): void {
    for (const name of namespaceNames()) {
      const pod = name.slice('pwd-'.length)
      if (name === NODE || name === OUTSIDE || this.#pods.has(pod)) continue
      const counters = countersAt(`${NAMESPACES}/${name}`)
      if (!counters) continue
      this.#pods.set(pod, { held: openSync(`${NAMESPACES}/${name}`, 'r'), counters })
      // With the node's namespace the other ends would go, and with them the pods' devices.
      this.#node ??= openSync(`${NAMESPACES}/${NODE}`, 'r')
    }
  }

  /** A neighbour that is checked after five seconds would be a packet after the receipt. */
  async #silenceNeighbours(): Promise<void> {
    const settings = ['ipv4', 'ipv6'].map(family => `net/${family}/neigh/eth0/delay_first_probe_time=600`)
    const netns = namespaceNames().filter(name => name !== NODE)
    await runTrafficCommand('sysctl', { netns: netns.join(','), arguments: settings })
  }
}

function namespaceNames(): string[] {
  return existsSync(NAMESPACES) ? readdirSync(NAMESPACES).filter(name => name.startsWith('pwd-')) : []
}

/** undefined: the device is not there yet. */
function countersAt(netns: string): Record<Direction, LoadCounter> | undefined {
  const hook = { netns, device: 'eth0', where: 'tcx-tail' } as const
  let transmit: LoadCounter | undefined
  try {
    transmit = new LoadCounter({ ...hook, direction: 'egress' })
    return { transmit, receive: new LoadCounter({ ...hook, direction: 'ingress' }) }
  } catch {
    transmit?.close()
    return undefined
  }
}
