// Runs packets through the programs one by one, and holds each against what it is expected to count as.
import assert from 'node:assert/strict'
import { RETIRE_TIMES } from '../../../lib/capture/native-probe.ts'
import { KernelObject, key32, putProgram, type Run, readMap, testRun, writeMap } from '../../support/kernel.ts'
import { padded } from '../../support/packet.ts'
import { Tally } from '../../support/tally.ts'
import { CountedInterface } from '../counted-interface.ts'
import type { Case } from './case.ts'
import { ClassCounts } from './class-counts.ts'
import { type Direction, FlowRows, FlowSums } from './flow-sums.ts'

const HOUR_MS = 3_600_000
/** A test run takes no packet that is shorter than the IP header which it announces. */
const SHORTEST_RUN_BYTES = 60

export class Judge {
  readonly #counted: CountedInterface
  readonly #wrapper = new KernelObject('packet_wrapper')
  readonly #rows = new FlowRows()
  readonly #tally = new Tally()
  readonly #classes: ClassCounts
  #expected = new FlowSums()
  #wrapped: Direction | undefined
  #runs = 0

  private constructor(counted: CountedInterface) {
    this.#counted = counted
    this.#classes = new ClassCounts(() => readMap(counted.map('class_counts'), key32(counted.interfaceSlot))!)
  }

  /** Flows stay: to retire them meanwhile would only cost time. */
  static async open(netns: string): Promise<Judge> {
    const times = Object.keys(RETIRE_TIMES).map(name => [name, HOUR_MS])
    const retire = Object.fromEntries(times) as typeof RETIRE_TIMES
    return new Judge(await CountedInterface.open(netns, { flowLimit: 1 << 18, retire }))
  }

  get runs(): number {
    return this.#runs
  }

  /** In both directions: decision, bytes and class of the packet. */
  judge(member: Case): void {
    for (const direction of ['fromPod', 'toPod'] as const) {
      const run = this.#run(member, direction)
      if (run.returned !== -1) assert.fail(`${member.name}: returned ${run.returned}`)
      if (Buffer.compare(run.packet, member.bytes) !== 0) assert.fail(`${member.name}: the packet is another one`)
      this.#expected.expect(member.expected, direction)
      this.#runs++
    }
    this.#classes.assertGrown(member)
  }

  /** Of all that was judged since the last time: the right flows, and classes, flows and totals add up. */
  async settle(name: string): Promise<void> {
    const batch = await this.#counted.drain()
    this.#tally.add(batch)
    const counted = new FlowSums()
    this.#rows.addTo(counted, batch)
    counted.assertSame(this.#expected, name)
    this.#expected = new FlowSums()
    assert.deepEqual(this.#tally.gaps(), [], name)
    assert.equal(this.#tally.faults, 0)
    const totals = this.#counted.totals(batch)
    const { seen, other } = this.#classes
    for (const direction of ['fromPod', 'toPod'] as const) {
      const { skbs, seenPackets, seenBytes, otherPackets, otherBytes, overflowPackets, filteredPackets } =
        totals[direction]
      assert.deepEqual(
        {
          skbs,
          seen: [seenPackets, seenBytes],
          other: [otherPackets, otherBytes],
          elsewhere: overflowPackets + filteredPackets,
        },
        { skbs: this.#runs / 2, seen, other, elsewhere: 0 },
        `${name}, ${direction}`,
      )
    }
  }

  async close(): Promise<void> {
    this.#wrapper.close()
    await this.#counted.close()
  }

  #run({ bytes, gsoSize = 0, gsoSegs = 0, metadataTag = false }: Case, direction: Direction): Run {
    const program = direction === 'fromPod' ? this.#counted.outProgram : this.#counted.inProgram
    const isCut = gsoSize === 0 && (metadataTag || bytes.length < SHORTEST_RUN_BYTES)
    if (!isCut && !metadataTag) return testRun(program, bytes, { gsoSize, gsoSegs })
    if (this.#wrapped !== direction) putProgram(this.#wrapper.maps.under_test!, 0, program)
    this.#wrapped = direction
    const { cut_to_length, cut_and_tag, with_tag_in_metadata } = this.#wrapper.programs
    if (!isCut) return testRun(with_tag_in_metadata!, bytes, { gsoSize, gsoSegs })
    writeMap(this.#wrapper.maps.length!, key32(0), key32(bytes.length))
    return testRun(metadataTag ? cut_and_tag! : cut_to_length!, padded(bytes, SHORTEST_RUN_BYTES))
  }
}
