// Packets and bytes by flow and direction: as batches have them, and as they are expected.
import assert from 'node:assert/strict'
import type { FlowBatch } from '../../../lib/capture/flow-batch.ts'
import type { Expected, FlowName } from '../packet-model.ts'

export type Direction = 'fromPod' | 'toPod'

interface Amounts {
  fromPod: [packets: number, bytes: number]
  toPod: [packets: number, bytes: number]
}

export class FlowSums {
  readonly #sums = new Map<string, Amounts>()

  add(flow: string, direction: Direction, packets: number, bytes: number): void {
    if (packets === 0) return
    const amounts = this.#of(flow)[direction]
    amounts[0] += packets
    amounts[1] += bytes
  }

  expect({ flow, packets, bytes }: Expected, direction: Direction): void {
    if (flow) this.add(nameOf(flow, direction), direction, packets, bytes)
  }

  get size(): number {
    return this.#sums.size
  }

  /** The first few flows that are not the same in both. */
  differences(expected: FlowSums, limit = 5): string[] {
    const found: string[] = []
    for (const flow of new Set([...this.#sums.keys(), ...expected.#sums.keys()])) {
      const [is, wanted] = [this, expected].map(sums => JSON.stringify(sums.#sums.get(flow) ?? 'nothing'))
      if (is !== wanted && found.length < limit) found.push(`${flow}: ${is}, expected ${wanted}`)
    }
    return found
  }

  assertSame(expected: FlowSums, of: string): void {
    assert.deepEqual(this.differences(expected), [], of)
  }

  #of(flow: string): Amounts {
    const known = this.#sums.get(flow)
    if (known) return known
    const amounts: Amounts = { fromPod: [0, 0], toPod: [0, 0] }
    this.#sums.set(flow, amounts)
    return amounts
  }
}

/** Knows which flow a slot is, from batch to batch. */
export class FlowRows {
  readonly #flows = new Map<string, string>()

  addTo(sums: FlowSums, { started, flows }: FlowBatch): void {
    for (let i = 0; i < started.length; i++)
      this.#flows.set(`${started.slot[i]} ${started.generation[i]}`, startedName(started, i))
    for (let i = 0; i < flows.length; i++) {
      const row = `${flows.slot[i]} ${flows.generation[i]}`
      const flow = this.#flows.get(row) ?? `unknown row ${row}`
      sums.add(flow, 'fromPod', flows.fromPodPackets[i]!, flows.fromPodBytes[i]!)
      sums.add(flow, 'toPod', flows.toPodPackets[i]!, flows.toPodBytes[i]!)
      if (flows.ended[i]) this.#flows.delete(row)
    }
  }
}

function nameOf(
  { source, destination, sourcePort, destinationPort, protocol, flags }: FlowName,
  direction: Direction,
): string {
  const ends = [`${source}:${sourcePort}`, `${destination}:${destinationPort}`]
  if (direction === 'toPod') ends.reverse()
  return `${ends.join(' ')} protocol ${protocol} flags ${flags}`
}

function startedName(started: FlowBatch['started'], i: number): string {
  const hex = (addresses: Uint8Array) =>
    Buffer.from(addresses.subarray(i * 16, i * 16 + (started.family[i] === 4 ? 4 : 16))).toString('hex')
  const local = `${hex(started.localAddress)}:${started.localPort[i]}`
  const remote = `${hex(started.remoteAddress)}:${started.remotePort[i]}`
  return `${local} ${remote} protocol ${started.protocol[i]} flags ${started.flags[i]}`
}
