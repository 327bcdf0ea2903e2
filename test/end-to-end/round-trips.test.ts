// Handshakes and round trips against tshark's, of the same packets at the same interface.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { runCommand } from '../../lib/demo/command.ts'
import type { ObservedFlow, SenderSums } from '../support/connections.ts'
import { Recorder } from '../support/recorder.ts'
import {
  bucketOf,
  compareBuckets,
  duplicateAcksOf,
  markedByData,
  repeatsOf,
  replaySamples,
  type Sample,
} from '../support/round-trips.ts'
import { show } from '../support/show.ts'
import { skip } from '../support/skip.ts'
import { TcpPath } from '../support/tcp-path.ts'
import { Capture, hasTshark, readCapture, type TsharkRow } from '../support/tshark.ts'

const SINK = 5001
const SERVICE = 5002
const SYN = 2
const ACK = 16
/** Two CPUs may see two packets in one order and the capture in the other. */
const CPU = 0
const traffic = fileURLToPath(new URL('../../build/Release/podweir-traffic', import.meta.url))

const paths = [
  { name: 'without a delay', delayMs: 0 },
  { name: 'with 2 ms', delayMs: 2 },
  { name: 'with 20 ms', delayMs: 20 },
  { name: 'with 100 ms', delayMs: 100 },
  { name: 'with 2 ms and 2 % loss', delayMs: 2, perMille: 20 },
] as const

type Way = 'fromPod' | 'toPod'

let path: TcpPath
let folder = ''
let recorder: Recorder | undefined
let capture: Capture | undefined

/** A bulk transfer, requests over connections that are kept, and some over new ones; all on one CPU. */
async function transfer(delayMs: number): Promise<void> {
  const { a, b } = path
  const count = delayMs >= 20 ? 30 : 100
  const exchange = ['--port', SERVICE, '--request', 2000, '--response', 20_000, '--parallel', 3]
  const serving = [
    await b.serve('tcp-serve', '--port', SINK, '--sink'),
    await b.serve('tcp-serve', '--port', SERVICE, '--request', 2000, '--response', 20_000),
  ]
  for (const { pid } of serving)
    await runCommand('taskset', ['-cp', String(CPU), String(pid)], { remedy: 'run as root' })
  const send = (...args: (string | number)[]) =>
    a.run('taskset', '-c', String(CPU), traffic, ...args.map(String), '--to', b.addresses.v4)
  await send('tcp-bulk', '--port', SINK, '--bytes', 2_000_000)
  await send('tcp-request', ...exchange, '--count', count, '--connections', 'keep')
  await send('tcp-request', ...exchange, '--count', 10, '--connections', 'each')
}

/** What tshark has of one flow, seen from its pod. */
interface Truth {
  readonly fromPod: readonly Sample[]
  readonly toPod: readonly Sample[]
  readonly rows: readonly TsharkRow[]
}

function truthOf({ local, remote }: ObservedFlow, rows: readonly TsharkRow[], samples: Map<string, Sample[]>): Truth {
  return {
    fromPod: samples.get(`${local} ${remote}`) ?? [],
    toPod: samples.get(`${remote} ${local}`) ?? [],
    rows: rows.filter(
      ({ source, destination }) => [source, destination].toSorted().join() === [local, remote].toSorted().join(),
    ),
  }
}

/** In a transfer. The machine's pauses between the recorder's clock and ours are in one of the two. */
const MOST_PAUSES = 1

/** Of ours and theirs; fails where they don't agree. */
class Agreement {
  flows = 0
  samples = 0
  repeats = 0
  duplicateAcks = 0
  #neighbours = 0
  #pauses = 0
  #tshark = 0
  #same = 0
  readonly #timed: readonly Way[]

  /** `timed`: the directions of data whose times are compared; counts always are. */
  constructor(timed: readonly Way[]) {
    this.#timed = timed
  }

  compare(flow: ObservedFlow, truth: Truth): void {
    this.flows++
    if (this.#timed.length === 2) compareHandshake(flow, truth)
    for (const way of ['fromPod', 'toPod'] as const) {
      const sender = way === 'fromPod' ? flow.local : flow.remote
      this.#compareSamples(flow[way].rtt, truth[way], way, sender)
      const acked = truth.rows.filter(row => row.ackRttSeconds !== undefined && row.destination === sender).length
      assert.ok(truth[way].length <= acked, `${sender}: ${truth[way].length} samples of ${acked} acknowledgments`)
      this.#tshark += acked
      this.#compareWithTshark(truth[way])
      this.#compareRepair(flow[way], sender, truth.rows)
    }
  }

  toString(): string {
    const samples = `${this.samples} samples out of ${this.#tshark} of tshark’s, ${this.#neighbours} in the neighbouring bucket`
    const rest = `${this.repeats} packets sent again or late, ${this.duplicateAcks} duplicate acknowledgments`
    return `${this.flows} handshakes; ${samples}, ${this.#same} of the same two packets in its list; ${rest}`
  }

  #compareSamples(ours: readonly number[], samples: readonly Sample[], way: Way, sender: string): void {
    const count = ours.reduce((sum, n) => sum + n)
    assert.equal(count, samples.length, `${sender}: samples by the rule`)
    this.samples += count
    if (!this.#timed.includes(way)) return
    const seconds = samples.map(sample => sample.seconds)
    const [, neighbours, farther] = compareBuckets(ours, seconds.map(bucketOf))
    this.#pauses += farther
    assert.ok(this.#pauses <= MOST_PAUSES, `${sender}: ${ours.join(' ')}, tshark ${seconds.join(' ')}`)
    this.#neighbours += neighbours
  }

  #compareRepair(ours: SenderSums, sender: string, rows: readonly TsharkRow[]): void {
    const [repeats, duplicateAcks] = [repeatsOf(sender, rows), duplicateAcksOf(sender, rows)]
    assert.equal(ours.retransmits + ours.outOfOrder, repeats, `retransmitted or late packets of ${sender}`)
    assert.equal(ours.duplicateAcks, duplicateAcks, `duplicate acknowledgments of ${sender}`)
    this.repeats += repeats
    this.duplicateAcks += duplicateAcks
  }

  /** Where tshark measures the same two packets, it says the same. */
  #compareWithTshark(samples: readonly Sample[]): void {
    for (const { seconds, tsharkSeconds } of samples) {
      if (tsharkSeconds === undefined) continue
      assert.ok(Math.abs(seconds - tsharkSeconds) < 1e-6)
      this.#same++
    }
  }
}

/** First SYN to first SYN-ACK, and from there to the opener's first ACK. */
function compareHandshake(flow: ObservedFlow, { rows }: Truth): void {
  const first = (flags: number) => rows.find(row => (row.flags & (SYN | ACK)) === flags)!.seconds
  const [syn, synAck, ack] = [first(SYN), first(SYN | ACK), first(ACK)]
  for (const [name, ours, theirs] of [
    ['handshake', flow.handshakeSeconds, synAck - syn],
    ['accepted', flow.acceptedSeconds, ack - synAck],
  ] as const)
    assert.ok(Math.abs(bucketOf(ours) - bucketOf(theirs)) <= 1, `${name} of ${flow.local}: ${ours}, tshark ${theirs}`)
  // tshark's is from the newest SYN.
  if (rows.filter(row => (row.flags & (SYN | ACK)) === SYN).length > 1) return
  const initial = rows.find(row => row.initialRttSeconds !== undefined)?.initialRttSeconds
  assert.ok(initial !== undefined && Math.abs(initial - (ack - syn)) < 1e-6, `initial_rtt ${initial}, ${ack - syn}`)
}

describe('handshakes and round trips', function () {
  this.timeout(60_000)

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    if (!hasTshark()) skip(this, 'needs tshark')
  })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-tshark-'))
    path = await TcpPath.open()
  })

  afterEach(async () => {
    recorder?.close()
    await capture?.stop()
    await path?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const { name, delayMs, ...more } of paths) {
    it(`are those that tshark sees, ${name}`, async function () {
      await path.forward({ delayMs: delayMs / 2, cpu: CPU })
      if ('perMille' in more) path.loseBetween(more.perMille)
      recorder = new Recorder({ netns: path.a.path, device: 'eth0' })
      await transfer(delayMs)
      await path.settle()
      recorder.write(join(folder, 'a.pcap'))
      const agreement = compareAll(await readCapture(join(folder, 'a.pcap')))
      if ('perMille' in more)
        assert.ok(agreement.repeats > 20 && agreement.duplicateAcks > 20, 'hardly anything was lost')
      show(this, agreement.toString())
    })
  }

  it('are those of a capture by dumpcap', async function () {
    await path.forward({ delayMs: 10, cpu: CPU })
    capture = await Capture.start(path.a, folder)
    await transfer(20)
    await path.settle()
    const device = await path.a.device()
    // dumpcap sits farther out than we do: its work between the two clocks is longer than the pod's own answer takes.
    const agreement = compareAll(await capture.finish(device.receivePackets + device.transmitPackets), ['fromPod'])
    show(this, agreement.toString())
  })
})

function compareAll(captured: readonly TsharkRow[], timed: readonly Way[] = ['fromPod', 'toPod']): Agreement {
  const rows = markedByData(captured)
  const samples = replaySamples(rows)
  const agreement = new Agreement(timed)
  for (const flow of path.seenAt('a')) agreement.compare(flow, truthOf(flow, rows, samples))
  assert.ok(agreement.flows > 10 && agreement.samples > 50)
  return agreement
}
