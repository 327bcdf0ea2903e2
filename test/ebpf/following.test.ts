// What counts as sent again, as out of order, as a duplicate acknowledgment or as a closed window, packet by packet.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { Conversation, type End } from './conversation.ts'
import { CountedInterface, tcpRow } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const FLOW_LIMIT = 16
/** Of a receiver whose SYN has no window scale. */
const REACH = 65_536
const HALF = 2 ** 31
const NOTHING = { retransmits: 0, outOfOrder: 0, duplicateAcks: 0, zeroWindows: 0, resets: 0 }
type Figures = Partial<typeof NOTHING>

const even = (count: number) => Array.from({ length: count }, (_, i) => 2 * i)
const odd = (count: number) => even(count).map(i => i + 1)

describe('of a connection', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface
  let here: Conversation

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one, { flowLimit: FLOW_LIMIT, retire: RETIRE_TIMES })
    await meet()
  })
  afterEach(() => counted?.close())

  async function meet(ends = {}): Promise<void> {
    here = new Conversation(counted, ends)
    here.open('pod')
    await counted.drain()
  }

  /** Since the last time, of both ends; of what is not named there is none. */
  async function told(pod: Figures, peer: Figures = {}): Promise<void> {
    const { flows } = await counted.drain()
    const rows = [flows.fromPod, flows.toPod].map(columns => {
      const sums: Record<string, number> = { ...NOTHING }
      for (let i = 0; i < flows.length; i++)
        for (const [name, value] of Object.entries(tcpRow(columns, i))) if (name in sums) sums[name]! += value
      return sums
    })
    const expected = [pod, peer].map(figures => ({ ...NOTHING, ...figures }))
    assert.deepEqual(rows, expected)
  }

  /** How many round trips of both ends' data. */
  async function roundTrips(): Promise<number[]> {
    const { rtt } = await counted.drain()
    const sums = [0, 0]
    for (let i = 0; i < rtt.length; i++) sums[rtt.direction[i]!]! += rtt.count[i]!
    return sums
  }

  /** Segments of 100 bytes, by their place behind what was sent so far, which moves behind the last of them. */
  function sends(...places: number[]): void {
    const first = here.next.pod
    for (const place of places) here.pod('PA', { sequence: (first + 100 * place) >>> 0, payload: 100 })
    here.next.pod = (first + 100 * (Math.max(...places) + 1)) >>> 0
  }

  function acknowledges(...numbers: number[]): void {
    for (const acknowledgment of numbers) here.peer('A', { acknowledgment: acknowledgment >>> 0 })
  }

  describe('data that comes late is out of order when it fills', () => {
    for (const { of, places, outOfOrder, retransmits = 0 } of [
      { of: 'one packet', places: [1, 0], outOfOrder: 1 },
      { of: 'three in their order', places: [3, 0, 1, 2], outOfOrder: 3 },
      { of: 'three from the end', places: [3, 2, 1, 0], outOfOrder: 3 },
      { of: 'some of it, while more is sent', places: [3, 0, 4, 1, 5, 2], outOfOrder: 3 },
      { of: 'its middle, then its ends', places: [5, 2, 0, 4, 1, 3], outOfOrder: 5 },
      { of: 'it a second time', places: [2, 0, 1, 0, 1], outOfOrder: 2, retransmits: 2 },
      { of: 'eight of them', places: [...odd(8), ...even(8)], outOfOrder: 8 },
      { of: 'eight of them from the end', places: [...odd(8), ...even(8).reverse()], outOfOrder: 8 },
      { of: 'the newest eight of nine', places: [...odd(9), ...even(9)], outOfOrder: 8, retransmits: 1 },
    ])
      it(`a gap: ${of}`, async () => {
        sends(...places)
        await told({ outOfOrder, retransmits })
      })

    it('a gap, and goes on behind it', async () => {
      const first = here.next.pod
      sends(2, 3)
      here.pod('PA', { sequence: first, payload: 300 })
      here.pod('PA', { sequence: first + 100, payload: 100 })
      await told({ outOfOrder: 1, retransmits: 1 })
    })

    it('a gap across the end of the numbers', async () => {
      await meet({ podPort: 41_000, podStart: 2 ** 32 - 250 })
      sends(0, 4, 1, 2, 3, 1)
      await told({ outOfOrder: 3, retransmits: 1 })
    })
  })

  it('what fills a gap that was acknowledged was sent again', async () => {
    const first = here.next.pod
    sends(2)
    acknowledges(first + 300)
    here.pod('PA', { sequence: first, payload: 100 })
    await told({ retransmits: 1 })
  })

  it('a gap belongs to it, and not to the next one in the same slot', async () => {
    const hole = here.next.pod
    sends(3)
    // All slots but this one's.
    for (let i = 0; i < 2 * FLOW_LIMIT; i++) new Conversation(counted, { podPort: 50_000 + i }).pod('S')
    here.pod('R')
    here = new Conversation(counted, { podStart: hole - 201 })
    here.open('pod')
    assert.equal((await counted.drain()).faults.connectionsMerged, 1)
    sends(0, 1, 2, 3, 4, 5)
    here.pod('PA', { sequence: hole + 100, payload: 100 })
    await told({ retransmits: 1 })
  })

  describe('a sender who went on while details were off', () => {
    for (const [far, bytes] of Object.entries({ 'a little': 1000, 'half of all numbers': HALF + 1000 }))
      it(`is followed from where it is: ${far}`, async () => {
        sends(0, 1)
        acknowledges(here.next.pod)
        await counted.source.setTcpDetail(false)
        here.next.pod = (here.next.pod + bytes) >>> 0
        await counted.source.setTcpDetail(true)
        sends(0, 1, 2)
        await told({})
        sends(1, 0, 0)
        acknowledges(here.next.pod)
        await told({ outOfOrder: 1, retransmits: 1 })
      })

    it('may reset it', async () => {
      await counted.source.setTcpDetail(false)
      here.next.pod += 1_000_000
      here.pod('R')
      const { flows } = await counted.drain()
      assert.notEqual(flows.closed[0], 0)
    })
  })

  describe('a packet that lies out of reach', () => {
    for (const [where, offset] of Object.entries({
      ahead: REACH + 1000,
      behind: -REACH - 1000,
      'far ahead': 2 ** 30,
      'far behind': -(2 ** 30),
      'on the other side': HALF,
    }))
      it(`is nothing of the sort: ${where}`, async () => {
        sends(0, 1)
        here.pod('PA', { sequence: (here.next.pod + offset) >>> 0, payload: 100 })
        sends(0, 1)
        await told({})
        sends(0, 0)
        await told({ retransmits: 1 })
      })

    it('does not end a round trip when it acknowledges what was not sent', async () => {
      sends(0)
      acknowledges(here.next.pod + 5000)
      assert.deepEqual(await roundTrips(), [0, 0])
      acknowledges(here.next.pod)
      assert.deepEqual(await roundTrips(), [1, 0])
      sends(0)
      acknowledges(here.next.pod - 100, here.next.pod - 100, here.next.pod - 100)
      await told({}, { duplicateAcks: 3 })
    })
  })

  describe('a keep-alive or a window probe is not sent again', () => {
    it('without data', async () => {
      sends(0)
      acknowledges(here.next.pod)
      here.pod('A', { sequence: here.next.pod - 1 })
      acknowledges(here.next.pod)
      await told({})
    })

    it('with one byte that was acknowledged', async () => {
      sends(0)
      acknowledges(here.next.pod)
      here.pod('A', { sequence: here.next.pod - 1, payload: 1 })
      await told({})
    })

    it('with one byte to a closed window', async () => {
      sends(0)
      here.peer('A', { window: 0 })
      here.pod('A', { payload: 1 })
      here.peer('A', { acknowledgment: here.next.pod - 1, window: 0 })
      here.pod('A', { sequence: here.next.pod - 1, payload: 1 })
      await told({}, { zeroWindows: 1 })
    })

    it('but one byte that nobody acknowledged is', async () => {
      sends(0)
      here.pod('PA', { sequence: here.next.pod - 1, payload: 1 })
      await told({ retransmits: 1 })
    })

    it('but a FIN is, also one that was acknowledged', async () => {
      here.pod('FA')
      acknowledges(here.next.pod)
      here.pod('FA', { sequence: here.next.pod - 1 })
      await told({ retransmits: 1 })
    })
  })

  it('of packets that receiving has merged those were sent again that were there before', async () => {
    const first = here.next.pod
    sends(0, 1, 2)
    const merged = here.packet('pod', 'PA', { sequence: first + 100, payload: 1000 })
    counted.send(merged, { gsoSize: 100 })
    here.next.pod = first + 1100
    await told({ retransmits: 2 })
    counted.send(merged, { gsoSize: 100 })
    await told({ retransmits: 10 })
  })

  describe('an acknowledgment', () => {
    it('is a duplicate while data is on the way that it leaves out', async () => {
      const first = here.next.pod
      acknowledges(first, first)
      await told({})
      sends(0, 1)
      acknowledges(first, first)
      await told({}, { duplicateAcks: 2 })
      here.peer('A', { acknowledgment: first, window: 77 })
      here.peer('PA', { acknowledgment: first, window: 77, payload: 10 })
      here.peer('FA', { acknowledgment: first, window: 77 })
      await told({}, {})
    })

    it('that was overtaken says nothing of the window', async () => {
      const first = here.next.pod
      sends(0, 1)
      acknowledges(first + 200)
      here.peer('A', { acknowledgment: first + 100, window: 0 })
      await told({}, {})
    })

    it('closes the window once, until it opens', async () => {
      for (const window of [0, 0, 5, 0, 0]) here.peer('A', { window })
      await told({}, { zeroWindows: 2 })
    })
  })

  describe('a round trip is taken', () => {
    it('of one at a time, by the acknowledgment of its end', async () => {
      sends(0, 1, 2)
      acknowledges(here.next.pod - 201)
      assert.deepEqual(await roundTrips(), [0, 0])
      acknowledges(here.next.pod - 200, here.next.pod - 100, here.next.pod)
      assert.deepEqual(await roundTrips(), [1, 0])
    })

    for (const [why, places] of Object.entries({
      'some of it was sent again': [0, 1, 1],
      'it leaves a gap': [0, 2],
    }))
      it(`not when ${why}`, async () => {
        sends(...places)
        acknowledges(here.next.pod)
        assert.deepEqual(await roundTrips(), [0, 0])
        sends(0)
        acknowledges(here.next.pod)
        assert.deepEqual(await roundTrips(), [1, 0])
      })

    it('not when it begins with what was sent before', async () => {
      sends(0)
      acknowledges(here.next.pod)
      assert.deepEqual(await roundTrips(), [1, 0])
      here.pod('PA', { sequence: here.next.pod - 50, payload: 100 })
      here.next.pod += 50
      acknowledges(here.next.pod)
      assert.deepEqual(await roundTrips(), [0, 0])
    })

    it('of both ends at the same time', async () => {
      for (const end of ['pod', 'peer'] satisfies End[]) here.says(end, 'PA', { acknowledgment: 0, payload: 10 })
      here.pod('A')
      here.peer('A')
      assert.deepEqual(await roundTrips(), [1, 1])
    })
  })
})
