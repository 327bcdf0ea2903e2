// A real interface without traffic, whose dispatchers a test feeds with built packets.
import assert from 'node:assert/strict'
import { formatAddress } from '../../lib/capture/address.ts'
import type { FlowBatch, TcpColumns } from '../../lib/capture/flow-batch.ts'
import { NativeProbeSource, type ProbeOptions, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { type InterfaceRow, interfaceRow } from '../addon/interface-row.ts'
import { type Run, type RunOptions, testRun } from '../support/kernel.ts'

/** One number of each column of the flows, without those of TCP's health. */
export interface FlowRow {
  readonly slot: number
  readonly generation: number
  readonly fromPodPackets: number
  readonly fromPodBytes: number
  readonly toPodPackets: number
  readonly toPodBytes: number
  readonly opened: number
  readonly failed: number
  readonly closed: number
  readonly state: number
  readonly ended: number
  readonly handshakeSeconds: number
  readonly acceptedSeconds: number
  readonly endedAtMs: number
}

export type TcpRow = { readonly [Column in keyof TcpColumns]: number }

export interface Started {
  readonly local: string
  readonly remote: string
  readonly localPort: number
  readonly remotePort: number
  readonly protocol: number
  readonly flags: number
  readonly interfaceSlot: number
  readonly opener: number
  readonly confidence: number
}

export class CountedInterface {
  readonly source: NativeProbeSource
  readonly interfaceSlot: number
  readonly #programs: Readonly<Record<string, number>>
  readonly #maps: Readonly<Record<string, number>>

  private constructor(source: NativeProbeSource, interfaceSlot: number, programs: object, maps: object) {
    this.source = source
    this.interfaceSlot = interfaceSlot
    this.#programs = programs as Record<string, number>
    this.#maps = maps as Record<string, number>
  }

  /** `netns` has an `eth0` that nobody uses. */
  static async open(netns: string, options: Partial<ProbeOptions> = {}): Promise<CountedInterface> {
    const source = await NativeProbeSource.open({ flowLimit: 1024, retire: RETIRE_TIMES, auditEvery: 0, ...options })
    return CountedInterface.attach(source, netns)
  }

  /** One more interface of a source that is open. */
  static async attach(source: NativeProbeSource, netns: string): Promise<CountedInterface> {
    try {
      const { interfaceSlot } = await source.attach({ netns, device: 'eth0', place: 'pod', hook: 'auto' })
      const { programs, maps } = await source.inspect()
      const ids = (rows: readonly { name: string; id: number }[]) =>
        Object.fromEntries(rows.map(({ name, id }) => [name, id]))
      return new CountedInterface(source, interfaceSlot, ids(programs), ids(maps))
    } catch (error) {
      await source.close()
      throw error
    }
  }

  /** The dispatcher that the pod's packets meet. */
  get outProgram(): number {
    return this.#programs[`podweir_out_${this.#suffix}`]!
  }

  get inProgram(): number {
    return this.#programs[`podweir_in_${this.#suffix}`]!
  }

  map(name: string): number {
    return this.#maps[name]!
  }

  /** As if the pod had sent it. */
  send(packet: Uint8Array, options?: RunOptions): Run {
    return observed(testRun(this.outProgram, packet, options))
  }

  /** As if the pod had got it. */
  receive(packet: Uint8Array, options?: RunOptions): Run {
    return observed(testRun(this.inProgram, packet, options))
  }

  drain(): Promise<FlowBatch> {
    return this.source.drain()
  }

  /** This interface's row of the batch. */
  totals(batch: FlowBatch): InterfaceRow {
    const row = interfaceRow(batch, this.interfaceSlot)
    assert.ok(row, `the batch has no row of interface ${this.interfaceSlot}`)
    return row
  }

  close(): Promise<void> {
    return this.source.close()
  }

  get #suffix(): string {
    return this.interfaceSlot.toString(16).padStart(3, '0')
  }
}

/** Whatever the packet: the decision is left to who comes next. */
function observed(run: Run): Run {
  assert.equal(run.returned, -1)
  return run
}

export function flowRows({ flows }: FlowBatch): FlowRow[] {
  return Array.from({ length: flows.length }, (_, i) => ({
    slot: flows.slot[i]!,
    generation: flows.generation[i]!,
    fromPodPackets: flows.fromPodPackets[i]!,
    fromPodBytes: flows.fromPodBytes[i]!,
    toPodPackets: flows.toPodPackets[i]!,
    toPodBytes: flows.toPodBytes[i]!,
    opened: flows.opened[i]!,
    failed: flows.failed[i]!,
    closed: flows.closed[i]!,
    state: flows.state[i]!,
    ended: flows.ended[i]!,
    handshakeSeconds: flows.handshakeSeconds[i]!,
    acceptedSeconds: flows.acceptedSeconds[i]!,
    endedAtMs: flows.endedAtMs[i]!,
  }))
}

/** What one direction of a row says of TCP's health. */
export function tcpRow(columns: TcpColumns, i: number): TcpRow {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[i]])) as TcpRow
}

export function startedRows({ started }: FlowBatch): Started[] {
  return Array.from({ length: started.length }, (_, i) => ({
    local: formatAddress(started.localAddress, i * 16, started.family[i]!),
    remote: formatAddress(started.remoteAddress, i * 16, started.family[i]!),
    localPort: started.localPort[i]!,
    remotePort: started.remotePort[i]!,
    protocol: started.protocol[i]!,
    flags: started.flags[i]!,
    interfaceSlot: started.interfaceSlot[i]!,
    opener: started.opener[i]!,
    confidence: started.confidence[i]!,
  }))
}
