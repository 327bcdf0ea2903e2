import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { stringify } from 'yaml'
import type { FlowBatch } from '../../lib/capture/flow-batch.ts'
import type { Attachment, FlowSource, Link, Namespace } from '../../lib/capture/flow-source.ts'
import { parseConfig } from '../../lib/config/config.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { Pipeline } from '../../lib/pipeline.ts'
import { capturedLog } from '../support/captured-log.ts'
import { type Collector, prepareCollector, startCollector } from '../support/collector.ts'
import { type BatchParts, type DirectionRow, flowBatch } from '../support/flow-batch.ts'

const request = { 'podweir.flow.direction': 'request' }
const response = { 'podweir.flow.direction': 'response' }

/** A kernel that has counted what the test says; it takes years to count it for real. */
class ToldSource implements FlowSource {
  #sequence = 0
  #next: BatchParts = {}
  #totals: { fromPod: DirectionRow; toPod: DirectionRow } = { fromPod: {}, toPod: {} }

  tell(flows: BatchParts, fromPod: DirectionRow, toPod: DirectionRow): void {
    this.#next = flows
    this.#totals = { fromPod, toPod }
  }

  async attach(): Promise<Attachment> {
    return {
      interfaceSlot: 1,
      device: 'eth0',
      place: 'pod',
      hook: 'tcx',
      attachedAtMs: systemClock.nowMs(),
      transmitCounter: 'skb',
      receiveCounter: 'skb',
      baselineExact: true,
      replacedStale: false,
      adopted: false,
    }
  }

  async drain(): Promise<FlowBatch> {
    const told = this.#next
    this.#next = {}
    const interfaces = [{ interfaceSlot: 1, ...this.#totals }]
    return flowBatch({ ...told, sequence: ++this.#sequence, readAtMs: systemClock.nowMs(), interfaces })
  }

  async links(): Promise<Link[]> {
    const nothing = { kind: 'veth', peerIndex: 3, peerNamespaceId: -1, address: '02:00:00:00:00:01' }
    return [{ index: 2, name: 'eth0', ethernet: true, loopback: false, up: true, ...nothing }]
  }

  linksOf(netns: readonly string[]): Promise<Link[][]> {
    return Promise.all(netns.map(() => this.links()))
  }

  async reattach(): Promise<boolean> {
    return false
  }

  async detach(): Promise<void> {}
  async release(): Promise<void> {}

  async setOutOfScope(): Promise<void> {}
  async survey() {
    return { namespaces: [], links: [], mayEnter: true, namesPending: false }
  }

  async addresses() {
    return []
  }

  watch() {
    return { close() {} }
  }

  async namespaces(): Promise<Namespace[]> {
    return []
  }
  async close(): Promise<void> {}
}

describe('numbers past 2^32', function () {
  this.timeout(20_000)
  let folder = ''
  let collector: Collector
  let pipeline: Pipeline
  const source = new ToldSource()

  before('build the Collector, once', async function () {
    this.timeout('15m')
    folder = mkdtempSync(join(tmpdir(), 'podweir-big-'))
    await prepareCollector({ folder })
    rmSync(folder, { recursive: true })
  })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-big-'))
    collector = await startCollector({ folder })
    const settings = {
      receivers: { podweir: { drain_interval: '60s', collection_interval: '1h' } },
      exporters: { otlp_grpc: { endpoint: collector.endpoint } },
      service: { extensions: [], pipelines: { metrics: { receivers: ['podweir'], exporters: ['otlp_grpc'] } } },
    }
    const pods = [
      { namespace: 'test', name: 'a', addresses: ['10.0.0.1'], interfaces: [{ netns: 'a', device: 'eth0' }] },
      { namespace: 'test', name: 'b', addresses: ['10.0.0.2'] },
    ]
    const inventory = parseInventory(stringify({ pods }), 'inventory')
    pipeline = new Pipeline(
      {
        source,
        config: parseConfig(stringify(settings), 'test', {}),
        names: new InventoryNames(inventory, []),
        own: { namespaceInode: 1, cgroup: '' },
        version: 'test',
        log: capturedLog().log,
        clock: systemClock,
      },
      inventory,
    )
    await pipeline.start()
  })

  afterEach(async () => {
    await pipeline.stop(5_000)
    await collector.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** One drain and one export; each of them is one point in the Collector's file. */
  async function count(fromPod: [packets: number, bytes: number], toPod: [packets: number, bytes: number], rest: Told) {
    const flows = [
      { fromPodPackets: fromPod[0], fromPodBytes: fromPod[1], toPodPackets: toPod[0], toPodBytes: toPod[1] },
    ]
    source.tell({ flows, ...(rest.starts && { started: [{}] }) }, rest.fromPod ?? {}, rest.toPod ?? {})
    await pipeline.drain()
    assert.equal(await pipeline.flush(5_000), true)
  }

  it('keep each digit, as text, from a batch to the Collector’s file', async () => {
    const [a, b] = [2 ** 32 - 1, 2 ** 32 + 1]
    await count([a, 3 * a], [5, 2 ** 33 + 1], { starts: true, fromPod: { seenPackets: a, seenBytes: 3 * a } })
    await count([2, 7], [0, 0], { fromPod: { seenPackets: b, seenBytes: 3 * a + 7 } })
    await collector.stop()
    const values = (metric: string, where: Record<string, string>) =>
      collector.points(metric, where).map(({ asInt }) => asInt)
    assert.deepEqual(values('podweir.network.flow.packets', request), ['0', '4294967295', '4294967297'])
    assert.deepEqual(values('podweir.network.flow.bytes', request), ['0', '12884901885', '12884901892'])
    assert.deepEqual(values('podweir.network.flow.bytes', response), ['0', '8589934593'])
    const transmit = { 'network.io.direction': 'transmit' }
    assert.deepEqual(values('podweir.pod.network.packets', transmit), ['0', '4294967295', '4294967297'])
    assert.deepEqual(values('podweir.pod.network.io', transmit), ['0', '12884901885', '12884901892'])
  })

  it('are exact up to 2^53 - 1, and go on from 0 in a new series beyond', async () => {
    const most = 2 ** 53 - 1
    await count([1, most - 2], [0, 0], { starts: true, toPod: { seenPackets: 1, seenBytes: most - 2 } })
    await count([1, 1], [0, 0], { toPod: { seenPackets: 2, seenBytes: most - 1 } })
    await count([1, 1], [0, 0], { toPod: { seenPackets: 3, seenBytes: most } })
    await count([1, 1], [0, 0], { toPod: { seenPackets: 3, seenBytes: most } })
    await collector.stop()
    const points = collector.points('podweir.network.flow.bytes', request)
    const starts = [...new Set(points.map(({ startTimeUnixNano }) => startTimeUnixNano))]
    const series = starts.map(start =>
      points.filter(({ startTimeUnixNano }) => startTimeUnixNano === start).map(({ asInt }) => asInt),
    )
    assert.deepEqual(series, [
      ['0', '9007199254740989', '9007199254740990', '9007199254740991'],
      ['0', '1'],
    ])
    assert.equal(collector.sums('podweir.network.flow.bytes', request), 2n ** 53n)
    const receive = { 'network.io.direction': 'receive' }
    assert.equal(collector.sums('podweir.pod.network.io', receive), 2n ** 53n - 1n)
  })
})

interface Told {
  readonly starts?: boolean
  readonly fromPod?: DirectionRow
  readonly toPod?: DirectionRow
}
