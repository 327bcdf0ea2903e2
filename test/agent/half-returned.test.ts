// An agent that was killed while it gave back a slot: a few instructions that no random kill ever meets, so the pinned
// memory is put into the states that they leave. Offsets are those of addon/journal_layout.h and ebpf/flow.h.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, it } from 'mocha'
import { pinnedMap } from '../support/bpf-objects.ts'
import { key32, readMap, writeMap } from '../support/kernel.ts'
import { type PinnedAgents, withPinnedAgents } from '../support/pinned-agents.ts'

const SLOT = { bytes: 128, half: 64, interfaceSlot: 12, state: 16, packets: 24, octets: 32 }
const DETAILS = { bytes: 320, generation: 8 }
const JOURNAL = { retired: 32, intent: 96, ofAll: 112, ofInterface: 176 }
const RECORD = { retired: 448 }
const ZEROING = 1
const RETURNING = 2
/** SLOT_RETIRING of ebpf/flow.h. */
const RETIRING = 0x80

let node: PinnedAgents

/** One value of a pinned map, to be read, changed and written back. */
class PinnedValue {
  readonly #map: number
  readonly #key: Uint8Array
  readonly bytes: Uint8Array
  readonly view: DataView

  private constructor(map: number, key: Uint8Array, bytes: Uint8Array) {
    this.#map = map
    this.#key = key
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  static async read(name: string, index: number): Promise<PinnedValue> {
    const [version] = readdirSync(node.pins)
    const map = await pinnedMap(join(node.pins, version!, name))
    const key = key32(index)
    return new PinnedValue(map, key, new Uint8Array(readMap(map, key)!))
  }

  u64(at: number): bigint {
    return this.view.getBigUint64(at, true)
  }

  add(at: number, more: bigint): void {
    this.view.setBigUint64(at, this.u64(at) + more, true)
  }

  write(): void {
    writeMap(this.#map, this.#key, this.bytes)
  }
}

/** The first slot that has a flow, from the last. */
async function takenSlot(): Promise<{ slot: number; value: PinnedValue }> {
  for (let slot = 0; slot < 64; slot++) {
    const value = await PinnedValue.read('slots', slot)
    if (value.view.getUint8(SLOT.state) !== 0) return { slot, value }
  }
  throw new Error('no slot has a flow')
}

/** Writes down that this slot is being given back. */
async function intend(step: number, slot: number, from: PinnedValue): Promise<PinnedValue> {
  const journal = await PinnedValue.read('journal', 0)
  const interfaceSlot = from.view.getUint16(SLOT.interfaceSlot, true)
  for (const [i, word] of [step, slot, 1, interfaceSlot].entries())
    journal.view.setUint32(JOURNAL.intent + i * 4, word, true)
  for (const sums of [JOURNAL.ofAll, JOURNAL.ofInterface])
    for (const direction of [0, 1]) {
      journal.add(sums + direction * 8, from.u64(direction * SLOT.half + SLOT.packets))
      journal.add(sums + 16 + direction * 8, from.u64(direction * SLOT.half + SLOT.octets))
    }
  journal.write()
  return journal
}

describe('an agent that was killed while it gave back a slot', function () {
  this.timeout(60_000)

  withPinnedAgents(made => {
    node = made
  })
  beforeEach(async () => {
    await node.start({ collection_interval: '1h', retire: {}, flow_limit: 64 })
    await node.send(2_000)
    await node.agent.until('flows are counted', ({ ledger }) => ledger.delivery.packets.drained === 2_000)
    await node.agent.kill()
  })

  async function assertAllThere(): Promise<void> {
    await node.start({ retire: {}, flow_limit: 64 })
    const { packets, delivery } = await node.settle()
    assert.equal(packets.seen, 2_000)
    assert.equal(packets.flow + packets.collapsed, 2_000)
    assert.equal(delivery.packets.drained, 2_000)
    assert.equal(delivery.packets.exported + delivery.packets.restart, 2_000)
    assert.equal(delivery.packets.restart, lost)
  }
  let lost = 0

  it('had not zeroed all of it: the next one does, and counts it once', async () => {
    const { slot, value } = await takenSlot()
    lost = Number(value.u64(SLOT.packets) + value.u64(SLOT.half + SLOT.packets))
    assert.ok(lost > 0)
    await intend(ZEROING, slot, value)
    value.bytes.fill(0, 0, SLOT.half)
    value.write()
    await assertAllThere()
    const after = await PinnedValue.read('slot_details', slot)
    assert.equal(after.view.getUint32(DETAILS.generation, true), 1)
  })

  it('had zeroed it: the next one does not count it a second time', async () => {
    const { slot, value } = await takenSlot()
    lost = Number(value.u64(SLOT.packets) + value.u64(SLOT.half + SLOT.packets))
    const journal = await intend(RETURNING, slot, value)
    journal.bytes.copyWithin(JOURNAL.retired, JOURNAL.ofAll, JOURNAL.ofInterface)
    journal.write()
    const record = await PinnedValue.read('interfaces', value.view.getUint16(SLOT.interfaceSlot, true))
    record.bytes.set(journal.bytes.subarray(JOURNAL.ofInterface, JOURNAL.ofInterface + 64), RECORD.retired)
    record.write()
    const details = await PinnedValue.read('slot_details', slot)
    details.bytes.fill(0)
    details.view.setUint32(DETAILS.generation, 1, true)
    details.write()
    value.bytes.fill(0)
    value.write()
    await assertAllThere()
  })

  it('had only marked it: its one row says that it began and that it ended', async () => {
    const { value } = await takenSlot()
    for (const half of [0, 1])
      value.view.setUint8(half * SLOT.half + SLOT.state, value.view.getUint8(half * SLOT.half + SLOT.state) | RETIRING)
    value.write()
    lost = 0
    await assertAllThere()
  })
})
