// 200,000 packets of conversations by chance: what their ends know, what we count and what tshark makes of the same
// packets. Where tshark and we differ by design, docs/tcp.md has the rule, and so has test/support/round-trips.ts.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { CaptureFile } from '../support/capture-file.ts'
import { ConnectionWatch } from '../support/connections.ts'
import { type Conversation, generate } from '../support/generated-conversations.ts'
import { allAfter } from '../support/retire-times.ts'
import { bucketOf, duplicateAcksOf, repeatsOf, replaySamples, type Sample } from '../support/round-trips.ts'
import { show } from '../support/show.ts'
import { skip } from '../support/skip.ts'
import { hasTshark, readCapture, readStreams, type TsharkRow } from '../support/tshark.ts'
import { Random } from './corpus/random.ts'
import { CountedInterface } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const SEED = 20_261_121
const PACKETS = 200_000
/** Under way at a time: a round trip takes as long as the others' packets in between. */
const AT_ONCE = [3, 20, 150, 600]
const CHANGE_EVERY = 20_000
const DRAIN_EVERY = 10_000
const NEVER_MS = 3_600_000
const UDP = 17
const WAYS = { pod: 'fromPod', peer: 'toPod' } as const
const SENDERS = ['pod', 'peer'] as const

describe('200,000 packets', function () {
  this.timeout(180_000)
  const network = idleNetwork()
  const random = new Random(SEED)
  const conversations: Conversation[] = []
  /** Before and behind the run of each packet, in nanoseconds, by tshark's number less 1. */
  const times: [bigint, bigint][] = []
  let folder = ''
  let watch: ConnectionWatch
  let rows: TsharkRow[]

  before(async function () {
    if (!hasTshark()) skip(this, 'needs tshark')
    folder = mkdtempSync(join(tmpdir(), 'podweir-differential-'))
    watch = await ConnectionWatch.open({ flowLimit: 16_384, retire: allAfter(NEVER_MS) })
    await play(await CountedInterface.attach(watch.source, network.one))
    rows = await readCapture(join(folder, 'all.pcap'))
  })

  after(async () => {
    await watch?.close()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  async function play(counted: CountedInterface): Promise<void> {
    const file = new CaptureFile(join(folder, 'all.pcap'))
    const going: Conversation[] = []
    while (going.length > 0 || times.length < PACKETS) {
      const most = AT_ONCE[Math.floor(times.length / CHANGE_EVERY) % AT_ONCE.length]!
      while (going.length < most && times.length < PACKETS)
        going.push(generate(random, conversations.length + going.length))
      const at = random.below(going.length)
      const step = going[at]!.frames.next()
      if (step.done) {
        conversations.push(...going.splice(at, 1))
        continue
      }
      const { from, bytes } = step.value
      const before = process.hrtime.bigint()
      if (from === 'pod') counted.send(bytes)
      else counted.receive(bytes)
      times.push([before, process.hrtime.bigint()])
      file.add(before, bytes)
      if (times.length % DRAIN_EVERY === 0) await watch.drain()
    }
    file.close()
    await watch.drain()
  }

  const nameOf = (local: string, remote: string) => `${local} ${remote}`
  const flowsByName = () => byName(watch.flows, ({ local, remote }) => nameOf(local, remote))

  it('are in as many conversations as their ends and tshark have', async function () {
    const streams = [
      ...(await readStreams(join(folder, 'all.pcap'), 'tcp')),
      ...(await readStreams(join(folder, 'all.pcap'), 'udp')),
    ]
    assert.ok(times.length >= PACKETS)
    assert.equal(watch.flows.length, conversations.length)
    assert.equal(streams.length, conversations.length)
    const flows = flowsByName()
    for (const { first, second, packets, bytes } of streams) {
      const [flow] = flows.get(nameOf(first, second)) ?? flows.get(nameOf(second, first)) ?? []
      assert.ok(flow, `${first} ${second}`)
      const ours = (figure: 'packets' | 'bytes') => ({
        [flow.local]: flow.fromPod[figure],
        [flow.remote]: flow.toPod[figure],
      })
      assert.deepEqual([ours('packets'), ours('bytes')], [packets, bytes])
    }
    show(this, `${times.length} packets, ${streams.length} conversations`)
  })

  it('are those that their ends sent: packets, bytes, sent again, late, closed windows', function () {
    const flows = flowsByName()
    const sums = { again: 0, late: 0, closings: 0 }
    for (const { ends, known } of conversations) {
      const [flow] = flows.get(nameOf(ends.pod, ends.peer))!
      for (const end of SENDERS) {
        const { packets, bytes, retransmits, outOfOrder, zeroWindows } = flow![WAYS[end]]
        const told = { packets, bytes, again: retransmits, late: outOfOrder, closings: zeroWindows }
        assert.deepEqual(told, known[end], `${ends.pod} ${ends.peer}, of the ${end}`)
        for (const figure of ['again', 'late', 'closings'] as const) sums[figure] += known[end][figure]
      }
    }
    assert.ok(Object.values(sums).every(sum => sum > 500))
    show(this, `${sums.again} sent again, ${sums.late} late, ${sums.closings} closed windows`)
  })

  it('are repeated, late or acknowledged again where tshark says so', function () {
    let [repeats, duplicates] = [0, 0]
    const bySource = byName(rows, ({ source, destination }) => [source, destination].toSorted().join(' '))
    for (const flow of watch.flows) {
      if (flow.protocol === UDP) continue
      const its = bySource.get([flow.local, flow.remote].toSorted().join(' '))!
      for (const end of SENDERS) {
        const sender = end === 'pod' ? flow.local : flow.remote
        const { retransmits, outOfOrder, duplicateAcks } = flow[WAYS[end]]
        assert.equal(retransmits + outOfOrder, repeatsOf(sender, its), `of ${sender}`)
        assert.equal(duplicateAcks, duplicateAcksOf(sender, its), `duplicates of ${sender}`)
        repeats += retransmits + outOfOrder
        duplicates += duplicateAcks
      }
    }
    assert.ok(duplicates > 500)
    show(this, `${repeats} repeated or late, ${duplicates} duplicate acknowledgments`)
  })

  it('take as long to be acknowledged as tshark says, each in its bucket', function () {
    const samples = replaySamples(rows)
    const buckets = new Array<number>(16).fill(0)
    for (const flow of watch.flows) {
      if (flow.protocol === UDP) continue
      for (const end of SENDERS) {
        const [from, to] = end === 'pod' ? [flow.local, flow.remote] : [flow.remote, flow.local]
        const ours = flow[WAYS[end]].rtt
        checkBuckets(ours, samples.get(`${from} ${to}`) ?? [], `of ${from}`)
        for (const [bucket, count] of ours.entries()) buckets[bucket]! += count
      }
    }
    assert.ok(buckets.filter(count => count > 10).length >= 5, buckets.join(' '))
    show(this, `by bucket from 2^-15 s: ${buckets.join(' ')}`)
  })

  /** The clock was read between the two times around each run: by that each sample has a least and a most. */
  function checkBuckets(ours: readonly number[], samples: readonly Sample[], whose: string): void {
    const mine = ours.flatMap((count, bucket) => new Array<number>(count).fill(bucket))
    assert.equal(mine.length, samples.length, `${whose}: samples by the rule`)
    const seconds = (ns: bigint) => Number(ns) / 1e9
    const bounds = samples.map(({ dataFrame, ackFrame }) => {
      const [data, ack] = [times[dataFrame - 1]!, times[ackFrame - 1]!]
      return { least: bucketOf(seconds(ack[0] - data[1])), most: bucketOf(seconds(ack[1] - data[0])) }
    })
    const least = bounds.map(bound => bound.least).toSorted((a, b) => a - b)
    const most = bounds.map(bound => bound.most).toSorted((a, b) => a - b)
    for (const [i, bucket] of mine.entries())
      assert.ok(bucket >= least[i]! && bucket <= most[i]!, `${whose}: ${ours.join(' ')}`)
  }
})

function byName<Item>(items: readonly Item[], name: (item: Item) => string): Map<string, Item[]> {
  const named = new Map<string, Item[]>()
  for (const item of items) {
    const list = named.get(name(item))
    if (list) list.push(item)
    else named.set(name(item), [item])
  }
  return named
}
