import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { DataPointType } from '@opentelemetry/sdk-metrics'
import { describe, it } from 'mocha'
import { Opener } from '../../lib/capture/flow-batch.ts'
import { type Metric, metrics } from '../../lib/signals/metric-names.ts'
import { attachment } from '../aggregate/small-cluster.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { observedCluster } from './observed-cluster.ts'
import { metricsOf, pointsOf } from './receiver.ts'

type Described = Pick<Metric, 'name' | 'instrument' | 'unit'> & { attributes: string[] }

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

function documented(): Described[] {
  const rows = [...emittedPart.matchAll(/^\| `(podweir[^`]+)` \| (\w+) \| `([^`]+)` \| (.*) \|$/gm)]
  return rows.map(([, name, instrument, unit, text]) => {
    const shared = ['edge attributes', 'pod attributes'].filter(title => text!.includes(title))
    const paragraphs = shared.map(title => paragraph(title[0]!.toUpperCase() + title.slice(1)))
    const attributes = [text!, ...paragraphs].flatMap(keysIn)
    return { name: name!, instrument: instrument as Metric['instrument'], unit: unit!, attributes }
  })
}

function emitted(collected: ResourceMetrics): Described[] {
  return metricsOf(collected).map(metric => {
    const { name, unit } = metric.descriptor
    const sum = metric.dataPointType === DataPointType.SUM
    const instrument = !sum ? 'gauge' : metric.isMonotonic ? 'counter' : 'up_down_counter'
    const attributes = pointsOf(metric).flatMap(point => Object.keys(point.attributes))
    return {
      name,
      unit,
      instrument,
      attributes: attributes.map(key => key.replace('k8s.deployment.name', 'k8s.<kind>.name')),
    }
  })
}

function comparable(described: readonly (Omit<Described, 'attributes'> & { attributes: readonly string[] })[]) {
  return described
    .map(({ name, unit, instrument, attributes }) => ({
      name,
      unit,
      instrument,
      attributes: [...new Set(attributes)].sort(),
    }))
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** One of everything: Services at both ends, names, overflow, an unnamed interface, failed attaches. */
async function everything(): Promise<ResourceMetrics> {
  const { table, ledger, interfaces, collect, names } = observedCluster({ seriesLimit: 20 })
  const nakedService = {
    class: 'service',
    service: { namespace: 'shop', name: 'naked' },
    ports: new Set<string>(),
  } as const
  names.addresses.set('10.96.0.9', nakedService)
  ledger.attached(attachment(3))
  interfaces.push({ state: 'degraded', reason: 'bypass', mode: 'tcx', place: 'pod' })
  const started = [
    { slot: 1, remote: '10.96.0.1', remotePort: 80 },
    { slot: 2, remote: '8.8.8.8', opener: Opener.remote, localPort: 80, remotePort: 40_000 },
    { slot: 3, remote: '8.8.8.8', protocol: 17, localPort: 40_000, remotePort: 53 },
    { slot: 4, remote: '10.96.0.9', opener: Opener.remote },
    { slot: 5, remotePort: 81 },
  ]
  table.apply(flowBatch({ started, flows: started.map(({ slot }) => ({ slot, fromPodPackets: 1 })), interfaces: [{}] }))
  return collect()
}

describe('documentation of signals', () => {
  it('lists every metric with instrument, unit and attributes, and no other', () => {
    assert.deepEqual(comparable(documented()), comparable(metrics))
  })

  it('lists what a producer really emits', async () => {
    assert.deepEqual(comparable(emitted(await everything())), comparable(documented()))
  })

  it('reserves no name that is emitted', () => {
    const reserved = [...reservedPart.matchAll(/`(podweir[a-z_.]+)`/g)].map(match => match[1]!)
    assert.ok(reserved.length > 20)
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
