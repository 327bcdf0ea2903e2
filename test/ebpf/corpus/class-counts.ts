// What the kernel has counted by class in both directions, and what it should have.
import assert from 'node:assert/strict'
import { OTHER_CLASSES, PACKET_CLASSES, packetClasses } from '../../../lib/capture/flow-batch.ts'
import type { Case } from './case.ts'

/** As flow.h has struct class_totals: packets by direction and class, then bytes. */
const BYTES_WORD = 2 * PACKET_CLASSES

export class ClassCounts {
  /** Packets and bytes that were expected so far in each direction: of all classes, and of those that are in no flow. */
  readonly seen = [0, 0]
  readonly other = [0, 0]
  readonly #read: () => Uint8Array
  #before: BigUint64Array

  constructor(read: () => Uint8Array) {
    this.#read = read
    this.#before = words(read())
  }

  /** Since the last time: by this packet once in each direction, in its class alone. */
  assertGrown({ name, expected }: Case): void {
    const expectedClass = packetClasses.indexOf(expected.class)
    const now = words(this.#read())
    for (let i = 0; i < BYTES_WORD; i++) {
      const packetClass = packetClasses[i % PACKET_CLASSES]!
      // An ordinary packet of a flow is counted there and in no class.
      const isHere = packetClass === expected.class && packetClass !== 'flow'
      const [packets, bytes] = [this.#grown(now, i), this.#grown(now, i + BYTES_WORD)]
      if (packets !== (isHere ? expected.packets : 0) || bytes !== (isHere ? expected.bytes : 0))
        assert.fail(`${name}: ${packets} packets, ${bytes} bytes ${packetClass}, expected ${JSON.stringify(expected)}`)
    }
    this.#before = now
    addTo(this.seen, expected)
    if (expectedClass < OTHER_CLASSES) addTo(this.other, expected)
  }

  #grown(now: BigUint64Array, word: number): number {
    return Number(now[word]! - this.#before[word]!)
  }
}

function addTo(sum: number[], { packets, bytes }: Case['expected']): void {
  sum[0]! += packets
  sum[1]! += bytes
}

function words(bytes: Uint8Array): BigUint64Array {
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)
}
