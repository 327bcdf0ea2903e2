import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { DataPointType } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import type { Detail } from '../../lib/aggregate/edge-counts.ts'
import { Closed, ConnectionState, Failed, Opener } from '../../lib/capture/flow-batch.ts'
import { type Metric, metrics } from '../../lib/signals/metric-names.ts'
import { attachment, external, node, web } from '../aggregate/small-cluster.ts'
import { flowBatch, type StartedRow } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, pointsOf } from './receiver.ts'

type Described = Pick<Metric, 'name' | 'instrument' | 'unit' | 'detail'> & { attributes: string[] }

const page = readFileSync(new URL('../../docs/signals.md', import.meta.url), 'utf8')
const emittedPart = page.slice(page.indexOf('## Emitted'), page.indexOf('## Reserved names'))
const reservedPart = page.slice(page.indexOf('## Reserved names'))
const keys = new Set(metrics.flatMap(metric => metric.attributes))

/** Keys in backticks; other words in backticks are values. */
function keysIn(text: string): string[] {
  return [...text.matchAll(/`([a-z0-9_.<>]+)`/g)].map(match => match[1]!).filter(each => keys.has(each))
}

function paragraph(title: string): string {
  const start = emittedPart.indexOf(`**${title}**`)
  return emittedPart.slice(start, emittedPart.indexOf('\n\n', start))
}

/** A pair has the edge's but what its paragraph names. */
function attributesText(title: string): string {
  if (title !== 'Pair attributes') return paragraph(title)
  const left = keysIn(paragraph(title))
  return keysIn(paragraph('Edge attributes'))
    .filter(key => !left.includes(key))
    .map(key => `\`${key}\``)
    .join()
}

function documented(): Described[] {
  const rows = [...emittedPart.matchAll(/^\| `((?:podweir|process)\.[^`]+)` \| (\w+) \| `([^`]+)` \| (.*) \|$/gm)]
  return rows.map(([, name, instrument, unit, text]) => {
    const shared = ['Edge attributes', 'Pair attributes', 'Pod attributes'].filter(title =>
      text!.toLowerCase().includes(title.toLowerCase()),
    )
    const attributes = [text!, ...shared.map(attributesText)].flatMap(keysIn)
    const described = { name: name!, instrument: instrument as Metric['instrument'], unit: unit!, attributes }
    return text!.startsWith('*full*') ? { ...described, detail: 'full' } : described
  })
}

function instrumentOf(metric: MetricData): Metric['instrument'] {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return 'histogram'
  if (metric.dataPointType !== DataPointType.SUM) return 'gauge'
  return metric.isMonotonic ? 'counter' : 'up_down_counter'
}

/** `inBasic`: the names of what is emitted with basic detail. */
function emitted(collected: ResourceMetrics, inBasic: ReadonlySet<string>): Described[] {
  return metricsOf(collected).map(metric => {
    const { name, unit } = metric.descriptor
    const attributes = pointsOf(metric).flatMap(point => Object.keys(point.attributes))
    return {
      name,
      unit,
      instrument: instrumentOf(metric),
      ...(!inBasic.has(name) && { detail: 'full' as const }),
      attributes: attributes.map(key =>
        key
          .replace('k8s.deployment.name', 'k8s.<kind>.name')
          .replace(/^(k8s\.pod\.(label|annotation))\..*/, '$1.<key>'),
      ),
    }
  })
}

function comparable(described: readonly (Omit<Described, 'attributes'> & { attributes: readonly string[] })[]) {
  return described
    .map(({ name, unit, instrument, detail, attributes }) => ({
      name,
      unit,
      instrument,
      detail: detail ?? 'basic',
      attributes: [...new Set(attributes)].sort(),
    }))
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** One of everything: Services at both ends, names, overflow, an unnamed interface, failed attaches, drops, lookups. */
async function everything(detail: Detail): Promise<ResourceMetrics> {
  const seriesLimit = { basic: 103, full: 432 }[detail]
  const cluster = observedCluster({ seriesLimit, detail, level: 'address', zones: 'on' })
  const { table, ledger, interfaces, drops, lookups, owners, collect, names } = cluster
  const nakedService = {
    class: 'service',
    service: { namespace: 'shop', name: 'naked' },
    ports: new Set<string>(),
  } as const
  names.addresses.set('10.96.0.9', nakedService)
  for (const number of [1, 2])
    names.addresses.set(`192.168.1.${number}`, { ...node, place: { zone: `zone-${number}`, region: 'r' } })
  const labelled = { ...web.pod!, labels: { team: 'blue' }, annotations: { note: 'x' } }
  owners.set(1, { identity: { ...web, pod: labelled, place: { zone: 'zone-0', region: 'r' } }, device: 'eth0' })
  ledger.ownersChanged()
  ledger.attached(attachment(3))
  interfaces.push({ state: 'degraded', reason: 'bypass', mode: 'tcx', place: 'pod' })
  drops.watched(7, { attachment: attachment(1), owner: owners.get(1) })
  const dropped = [0, 7].map(watch => ({ watch, reason: 'no_socket', packets: 1 }))
  drops.apply({ counts: dropped, uncounted: 1 }, 1_000_000)
  for (const owner of [web, external])
    for (let i = 0; i < 65; i++) lookups.add(owner, `${i}.example`, i === 0 ? undefined : 'timeout', 5, 1_000_000)
  const started: StartedRow[] = [
    { slot: 1, remote: '10.96.0.1', remotePort: 80 },
    { slot: 2, remote: '8.8.8.8', opener: Opener.remote, localPort: 80, remotePort: 40_000 },
    { slot: 3, remote: '8.8.8.8', protocol: 17, localPort: 40_000, remotePort: 53 },
    { slot: 4, remote: '10.96.0.9', opener: Opener.remote },
    { slot: 5, remotePort: 81 },
    { slot: 7, remote: '10.96.0.9' },
    { slot: 8, remote: '8.8.8.8' },
    { slot: 9, remote: '192.168.1.1', remotePort: 83 },
    { slot: 6, remote: '192.168.1.2', remotePort: 82 },
  ]
  const side = { retransmits: 1, outOfOrder: 1, zeroWindows: 1, resets: 1, rttSumSeconds: 1 }
  const ending = { handshakeSeconds: 1, failed: Failed.reset, closed: Closed.fin, endedAtMs: 1_002_000 }
  const row = { fromPodPackets: 1, opened: 1, state: ConnectionState.closing, fromPod: side, toPod: side, ...ending }
  const flows = started.map(({ slot }) => ({ slot: slot!, ...row }))
  const rtt = flows.flatMap((_, row) => [0, 1].map(direction => ({ row, direction })))
  table.apply(flowBatch({ started, flows, rtt, interfaces: [{}] }))
  cluster.drains.add(0.002)
  const counts = {
    produced: 3,
    delivered: 2,
    superseded: 0,
    lost: new Map([['refused', 1]]),
    queue: { items: 0, bytes: 0 },
  }
  cluster.items.push({ exporter: 'otlp_grpc', signal: 'metrics', counts })
  return collect()
}

describe('documentation of signals', () => {
  it('lists every metric with instrument, unit and attributes, and no other', () => {
    assert.deepEqual(comparable(documented()), comparable(metrics))
  })

  it('lists what a producer really emits', async () => {
    const inBasic = new Set(metricsOf(await everything('basic')).map(({ descriptor }) => descriptor.name))
    assert.deepEqual(comparable(emitted(await everything('full'), inBasic)), comparable(documented()))
  })

  it('reserves no name that is emitted', () => {
    const reserved = [...reservedPart.matchAll(/`([a-z][a-z_.]+_[a-z_.]+|podweir[a-z_.]+)`/g)].map(match => match[1]!)
    assert.ok(reserved.length > 0)
    assert.deepEqual(
      metrics.filter(metric => reserved.includes(metric.name)),
      [],
    )
  })

  it('has no metric whose name is the prefix of another', () => {
    const prefixes = metrics.filter(a => metrics.some(b => b !== a && b.name.startsWith(`${a.name}.`)))
    assert.deepEqual(prefixes, [])
  })
})
