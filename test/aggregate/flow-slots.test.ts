import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { FlowSlots } from '../../lib/aggregate/flow-slots.ts'
import { SlotObjects } from '../../lib/aggregate/slot-objects.ts'
import { slotCount } from '../../lib/capture/flow-batch.ts'

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array

function columnsOf(slots: object): Column[] {
  return Object.values(slots).filter(value => ArrayBuffer.isView(value)) as Column[]
}

describe('flow slots', () => {
  for (const flowLimit of [16, 17, 1000, 32_768])
    it(`have columns for ${flowLimit} flows that share no byte`, () => {
      const slots = new FlowSlots(slotCount(flowLimit))
      const columns = [slots, slots.fromPod, slots.toPod].flatMap(columnsOf)
      assert.ok(columns.length > 40)
      for (const column of columns) assert.ok(column.length >= slots.length)
      for (const [i, column] of columns.entries()) column.fill(i)
      for (const [i, column] of columns.entries())
        assert.ok(
          column.every(value => value === i),
          `column ${i}`,
        )
    })
})

describe('objects of slots', () => {
  it('are found by slot, also in a part that was never used', () => {
    const objects = new SlotObjects<string>()
    objects.set(511, 'a')
    objects.set(512, 'b')
    objects.set(70_000, 'c')
    assert.deepEqual(
      [511, 512, 70_000].map(slot => objects.of(slot)),
      ['a', 'b', 'c'],
    )
    assert.deepEqual(
      [0, 5000, 80_000].map(slot => objects.find(slot)),
      [undefined, undefined, undefined],
    )
    objects.set(512, undefined)
    assert.equal(objects.find(512), undefined)
  })
})
