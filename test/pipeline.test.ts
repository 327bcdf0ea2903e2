import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { DnsSource } from '../lib/capture/dns-source.ts'
import { Failed } from '../lib/capture/flow-batch.ts'
import { parseConfig } from '../lib/config/config.ts'
import { parseInventory } from '../lib/config/inventory.ts'
import { InventoryNames } from '../lib/enrich/inventory-names.ts'
import type { OwnTelemetry, OwnTelemetryParts } from '../lib/export/own-telemetry.ts'
import { systemClock } from '../lib/host/clock.ts'
import { Pipeline } from '../lib/pipeline.ts'
import type { AgentFigures } from '../lib/signals/agent-figures.ts'
import { capturedLog } from './support/captured-log.ts'
import { answer, dnsBatch, query, WALL_MINUS_MONOTONIC_MS } from './support/dns.ts'
import { PretendPrograms } from './support/pretend-programs.ts'
import { PretendSource } from './support/pretend-source.ts'

const inventory = parseInventory('pods: [{ namespace: a, name: x, interfaces: [{ netns: x }] }]', 'inv.yaml')
let folder = ''
let pipeline: Pipeline
let source: PretendSource
let programs: PretendPrograms

function start(
  settings: string,
  dns?: DnsSource,
  ownTelemetry?: (parts: OwnTelemetryParts) => OwnTelemetry,
): Promise<void> {
  const config = parseConfig(
    `receivers: { podweir: { drain_interval: 60s, ${settings} } }
exporters: { file: { path: ${folder}/out.jsonl } }`,
    'a.yaml',
    {},
  )
  source = new PretendSource()
  programs = new PretendPrograms(0.5)
  const names = new InventoryNames(inventory, [])
  const parts = {
    source,
    programs,
    config,
    names,
    log: capturedLog().log,
    clock: systemClock,
    ...(dns && { dns }),
    ...(ownTelemetry && { ownTelemetry }),
  }
  const budgetTimes = { windowMs: 5, periodMs: 10, holdMs: 30 }
  pipeline = new Pipeline({ ...parts, own: { namespaceInode: 0, cgroup: '' }, version: '0', budgetTimes }, inventory)
  return pipeline.start()
}

async function exported(): Promise<string> {
  await pipeline.flush(5_000)
  await pipeline.stop(5_000)
  return readFileSync(join(folder, 'out.jsonl'), 'utf8')
}

describe('the pipeline', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-pipeline-'))
  })

  afterEach(async () => {
    await pipeline.stop(1_000)
    rmSync(folder, { recursive: true })
  })

  it('attaches to no device that is left out by its name, and says that it is ignored', async () => {
    await start('scope: { exclude: { interfaces: ["eth*"] } }')
    assert.deepEqual(pipeline.feed.status().interfaces, [])
    const written = await exported()
    assert.match(written, /"podweir.attach.state","value":\{"stringValue":"ignored"\}/)
    assert.match(written, /"podweir.attach.reason","value":\{"stringValue":"scope"\}/)
  })

  it('says of attached interfaces that they are degraded while TCP detail is given up', async () => {
    await start('')
    const before = pipeline.feed.status().interfaces[0]!
    assert.equal(before.state, 'attached')
    for (let i = 0; i < 400 && programs.detail; i++) await sleep(5)
    const [{ state, reason, since } = assert.fail()] = pipeline.feed.status().interfaces
    assert.deepEqual([state, reason], ['degraded', 'budget'])
    assert.ok(Date.parse(since) > Date.parse(before.since))
    source.batches.push({ started: [{}], flows: [{ fromPodPackets: 1 }] })
    await pipeline.drain()
    const text = await exported()
    assert.match(text, /"podweir\.attach\.reason","value":\{"stringValue":"budget"\}/)
    assert.match(text, /podweir\.agent\.program\.time/)
    assert.deepEqual([source.closed, programs.statistics], [true, false])
  })

  it('measures nothing when there is no budget', async () => {
    await start('cpu_budget: off')
    await sleep(50)
    assert.equal(programs.windows, 0)
    source.batches.push({ started: [{}], flows: [{ fromPodPackets: 1 }] })
    await pipeline.drain()
    assert.doesNotMatch(await exported(), /program\.time/)
  })

  it('exports the detail that the configuration asks for', async () => {
    await start('detail: full')
    const row = { fromPodPackets: 1, failed: Failed.refused, fromPod: { zeroWindows: 1 } }
    source.batches.push({ started: [{}], flows: [row] })
    await pipeline.drain()
    assert.match(await exported(), /podweir\.network\.tcp\.zero_windows/)
  })

  it('names a flow by the answer that it followed, though both were read at once', async () => {
    const messages = [query(), answer({ answers: [{ type: 'A', data: '203.0.113.7' }] }, { monotonicMs: 1010 })]
    const read = async () => dnsBatch(messages.splice(0))
    await start('', { read })
    const started = { remote: '203.0.113.7', startMs: WALL_MINUS_MONOTONIC_MS + 1011 }
    source.batches.push({ started: [started], flows: [{ fromPodPackets: 1 }] })
    await pipeline.drain()
    const written = await exported()
    assert.match(written, /"destination\.name","value":\{"stringValue":"api\.stripe\.example"\}/)
    assert.doesNotMatch(written, /"destination\.name","value":\{"stringValue":"external"\}/)
    assert.match(written, /podweir\.dns\.lookup\.duration/)
  })

  it('forgets what a pod has learnt when its interface is gone', async () => {
    const messages = [query(), answer({ answers: [{ type: 'A', data: '203.0.113.7' }] })]
    await start('', { read: async () => dnsBatch(messages.splice(0)) })
    source.batches.push({}, { interfaces: [{ ended: true }] })
    await pipeline.drain()
    await pipeline.drain()
    const started = { remote: '203.0.113.7', startMs: WALL_MINUS_MONOTONIC_MS + 2000 }
    source.batches.push({ started: [started], flows: [{ fromPodPackets: 1 }] })
    await pipeline.drain()
    const written = await exported()
    assert.match(written, /"external"/)
    assert.doesNotMatch(written, /api\.stripe\.example/)
  })

  it('leaves what it says of itself to telemetry of its own where there is one', async () => {
    let figures: AgentFigures | undefined
    const meterProvider = undefined
    await start('', undefined, parts => {
      figures = parts.figures
      return { meterProvider, close: async () => {} } as unknown as OwnTelemetry
    })
    const names = [...figures!.now()].map(({ metric }) => metric.name)
    source.batches.push({ started: [{}], flows: [{ fromPodPackets: 1 }] })
    await pipeline.drain()
    const written = await exported()
    assert.ok(names.includes('podweir.agent.flow.count'))
    assert.match(written, /podweir\.network\.flow\.packets/)
    assert.doesNotMatch(written, /podweir\.agent\.|process\.cpu|podweir\.ledger\.items/)
  })

  it('keeps the capture’s faults and audits for the status', async () => {
    await start('')
    const faults = { connectionsMerged: 2 }
    source.batches.push({ faults, audit: { audits: 5, violations: 1, newest: 'x' }, liveFlows: 9, collapsedFlows: 3 })
    await pipeline.drain()
    const status = pipeline.feed.status()
    assert.equal(status.faults.connectionsMerged, 2)
    assert.deepEqual(status.audit, { audits: 5, violations: 1, newest: 'x' })
    assert.deepEqual(status.flows, { live: 9, limit: 32_768, collapsed: 3, parked: 0 })
  })
})
