// Adds up what a probe drains of each flow, row by row and without the program's own tables.
import { formatAddress } from '../../lib/capture/address.ts'
import { Closed, ConnectionState, Failed, type FlowBatch, type TcpColumns } from '../../lib/capture/flow-batch.ts'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import { NativeProbeSource, type ProbeOptions, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { until } from './until.ts'

const RTT_BUCKETS = 16

/** Of what one sender did. */
export interface SenderSums {
  packets: number
  bytes: number
  retransmits: number
  outOfOrder: number
  duplicateAcks: number
  zeroWindows: number
  resets: number
  /** By bucket, of this sender's data. */
  readonly rtt: number[]
}

/** One flow, from its first row to its last. */
export interface ObservedFlow {
  readonly interfaceSlot: number
  readonly local: string
  readonly remote: string
  readonly protocol: number
  readonly opener: number
  readonly confidence: number
  readonly fromPod: SenderSums
  readonly toPod: SenderSums
  opened: number
  /** Each that was told, by name, in order. */
  readonly failed: string[]
  readonly closed: string[]
  /** The newest, by name. */
  state: string
  /** Without repetitions. */
  readonly states: string[]
  ended: number
  handshakeSeconds: number
  acceptedSeconds: number
  endedAtMs: number
}

const nameIn = (names: Readonly<Record<string, number>>) => {
  const byNumber = Object.entries(names).map(([name, number]): [number, string] => [number, name])
  return new Map(byNumber)
}
const stateNames = nameIn(ConnectionState)
const failedNames = nameIn(Failed)
const closedNames = nameIn(Closed)

export class ConnectionWatch {
  /** In the order of their first rows. */
  readonly flows: ObservedFlow[] = []
  /** Sums of the faults of the newest batch. */
  faults = 0
  liveFlows = 0
  readonly #source: NativeProbeSource
  readonly #byName = new Map<string, ObservedFlow>()

  private constructor(source: NativeProbeSource) {
    this.#source = source
  }

  static async open(options: Partial<ProbeOptions> = {}): Promise<ConnectionWatch> {
    const source = await NativeProbeSource.open({ flowLimit: 1024, retire: RETIRE_TIMES, auditEvery: 1, ...options })
    return new ConnectionWatch(source)
  }

  /** Returns the interface's slot. */
  async attach(netns: string | undefined, options: Partial<AttachRequest> = {}): Promise<number> {
    const { interfaceSlot } = await this.#source.attach({
      ...(netns !== undefined && { netns }),
      device: 'eth0',
      place: 'pod',
      hook: 'auto',
      ...options,
    })
    return interfaceSlot
  }

  get source(): NativeProbeSource {
    return this.#source
  }

  async drain(): Promise<void> {
    this.#add(await this.#source.drain())
  }

  /** Drains until the condition holds of what was drained. */
  async until(what: string, holds: () => boolean, limitMs = 10_000): Promise<void> {
    const describe = () => `${what}; seen: ${JSON.stringify(this.flows.map(brief), null, 1)}`
    const drained = async () => {
      await this.drain()
      return holds()
    }
    await until(describe, drained, { limitMs, everyMs: 20 })
  }

  /** The flows of one interface. */
  of(interfaceSlot: number): ObservedFlow[] {
    return this.flows.filter(flow => flow.interfaceSlot === interfaceSlot)
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  #add(batch: FlowBatch): void {
    const { flows, rtt, faults } = batch
    this.#addStarted(batch)
    const rows = Array.from({ length: flows.length }, (_, row) => this.#addRow(batch, row))
    for (let i = 0; i < rtt.length; i++) {
      const flow = rows[rtt.row[i]!]!
      const sums = rtt.direction[i] === 0 ? flow.fromPod : flow.toPod
      sums.rtt[rtt.bucket[i]!]! += rtt.count[i]!
    }
    this.faults = Object.values(faults).reduce((sum, count) => sum + count, 0)
    this.liveFlows = batch.liveFlows
  }

  #addStarted({ started }: FlowBatch): void {
    for (let i = 0; i < started.length; i++) {
      const address = (bytes: Uint8Array) => formatAddress(bytes, i * 16, started.family[i]!)
      const flow: ObservedFlow = {
        interfaceSlot: started.interfaceSlot[i]!,
        local: `${address(started.localAddress)}:${started.localPort[i]}`,
        remote: `${address(started.remoteAddress)}:${started.remotePort[i]}`,
        protocol: started.protocol[i]!,
        opener: started.opener[i]!,
        confidence: started.confidence[i]!,
        fromPod: noSums(),
        toPod: noSums(),
        opened: 0,
        failed: [],
        closed: [],
        state: 'none',
        states: [],
        ended: 0,
        handshakeSeconds: Number.NaN,
        acceptedSeconds: Number.NaN,
        endedAtMs: Number.NaN,
      }
      this.flows.push(flow)
      this.#byName.set(`${started.slot[i]} ${started.generation[i]}`, flow)
    }
  }

  #addRow({ flows }: FlowBatch, row: number): ObservedFlow {
    const name = `${flows.slot[row]} ${flows.generation[row]}`
    const flow = this.#byName.get(name)
    if (!flow) throw new Error(`a row of slot and generation ${name}, which never started`)
    flow.fromPod.packets += flows.fromPodPackets[row]!
    flow.fromPod.bytes += flows.fromPodBytes[row]!
    flow.toPod.packets += flows.toPodPackets[row]!
    flow.toPod.bytes += flows.toPodBytes[row]!
    addSender(flow.fromPod, flows.fromPod, row)
    addSender(flow.toPod, flows.toPod, row)
    flow.opened += flows.opened[row]!
    if (flows.failed[row]) flow.failed.push(failedNames.get(flows.failed[row]!)!)
    if (flows.closed[row]) flow.closed.push(closedNames.get(flows.closed[row]!)!)
    flow.state = stateNames.get(flows.state[row]!)!
    if (flow.states.at(-1) !== flow.state) flow.states.push(flow.state)
    flow.ended = flows.ended[row]!
    flow.handshakeSeconds = flows.handshakeSeconds[row]!
    flow.acceptedSeconds = flows.acceptedSeconds[row]!
    flow.endedAtMs = flows.endedAtMs[row]!
    return flow
  }
}

/** Sum over flows of what one side sent. */
export function sumOf(
  flows: readonly ObservedFlow[],
  sender: 'fromPod' | 'toPod',
  figure: Exclude<keyof SenderSums, 'rtt'>,
): number {
  return flows.reduce((sum, flow) => sum + flow[sender][figure], 0)
}

function noSums(): SenderSums {
  const rtt = new Array<number>(RTT_BUCKETS).fill(0)
  return { packets: 0, bytes: 0, retransmits: 0, outOfOrder: 0, duplicateAcks: 0, zeroWindows: 0, resets: 0, rtt }
}

function addSender(sums: SenderSums, columns: TcpColumns, row: number): void {
  sums.retransmits += columns.retransmits[row]!
  sums.outOfOrder += columns.outOfOrder[row]!
  sums.duplicateAcks += columns.duplicateAcks[row]!
  sums.zeroWindows += columns.zeroWindows[row]!
  sums.resets += columns.resets[row]!
}

function brief({ local, remote, states, opened, failed, closed, ended, fromPod, toPod }: ObservedFlow) {
  return { local, remote, states, opened, failed, closed, ended, sent: fromPod.packets, got: toPod.packets }
}
