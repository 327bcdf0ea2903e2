// Agents one after the other over the same pins, and the pod that they watch.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach } from 'mocha'
import type { TrafficProgram } from '../../lib/demo/traffic-program.ts'
import { Agent, type AgentPod } from './agent.ts'
import { quiesce } from './counters.ts'
import { ExportedSums } from './exported-sums.ts'
import { Namespaces, type TestNamespace } from './namespaces.ts'
import { skip } from './skip.ts'

const hasBpfFileSystem = () => existsSync('/sys/fs/bpf/maps.debug')

const PACE = { drain_interval: '100ms', collection_interval: '300ms', retire: { datagram: '1s' } }

/** Two namespaces joined by a pair of devices: `a` is the pod, `b` takes its datagrams. */
export class PinnedAgents {
  readonly pins = `/sys/fs/bpf/podweir-test-${process.pid}`
  readonly folder = mkdtempSync(join(tmpdir(), 'podweir-restart-'))
  readonly namespaces = new Namespaces()
  a!: TestNamespace
  b!: TestNamespace
  sink!: TrafficProgram
  /** The one that runs. */
  agent!: Agent

  static async create(): Promise<PinnedAgents> {
    const made = new PinnedAgents()
    const { a, b } = await made.namespaces.createPair()
    Object.assign(made, { a, b, sink: await b.serve('udp-serve', '--port', 9000) })
    return made
  }

  start(receiver: Record<string, unknown> = {}): Promise<Agent> {
    return this.#start([{ name: 'a', namespace: this.a }], receiver)
  }

  /** One that knows of no pod. */
  startWithout(): Promise<Agent> {
    return this.#start([], {})
  }

  async #start(pods: readonly AgentPod[], receiver: Record<string, unknown>): Promise<Agent> {
    this.agent = await Agent.start({
      folder: this.folder,
      pods,
      receiver: { pins: this.pins, ...PACE, ...receiver },
    })
    return this.agent
  }

  /** Datagrams from `sources` ports in turn. */
  send(count: number, sources = 40): Promise<unknown> {
    const to = ['--to', this.b.addresses.v4, '--port', 9000]
    return this.a.traffic('udp-send', ...to, '--count', count, '--rate', 3_000, '--tuples', sources)
  }

  /** What the file exporter has written, over all agents. */
  exported(): ExportedSums {
    const file = join(this.folder, 'metrics.jsonl')
    return new ExportedSums(existsSync(file) ? readFileSync(file, 'utf8') : '')
  }

  /** The devices stand still, and what they counted is counted and delivered. */
  async settle() {
    await quiesce([this.a.name, this.b.name])
    const { transmitPackets } = await this.a.device()
    const { ledger } = await this.agent.until('everything is delivered', ({ ledger }) => {
      const { packets, delivery, skbs } = ledger
      return packets.seen + skbs.unobserved >= transmitPackets && delivery.packets.queued === 0
    })
    return ledger
  }

  async remove(): Promise<void> {
    await this.agent?.kill()
    rmSync(this.pins, { recursive: true, force: true })
    await this.namespaces.remove()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The set-up of a suite: `use` gets what the next test runs with, which is gone when that test is. */
export function withPinnedAgents(use: (made: PinnedAgents) => void): void {
  let made: PinnedAgents
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    if (!hasBpfFileSystem()) skip(this, 'there is no BPF file system at /sys/fs/bpf')
  })
  beforeEach(async () => {
    made = await PinnedAgents.create()
    use(made)
  })
  afterEach(() => made.remove())
}
