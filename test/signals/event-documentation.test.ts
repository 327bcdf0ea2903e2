import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import type { Identity } from '../../lib/aggregate/identity.ts'
import { Closed, ConnectionState, Failed, Opener, Retired } from '../../lib/capture/flow-batch.ts'
import type { LogRecord } from '../../lib/signals/log-record.ts'
import type { SpanRecord } from '../../lib/signals/span-record.ts'
import { api, web } from '../aggregate/small-cluster.ts'
import type { StartedRow } from '../support/flow-batch.ts'
import { attributesOf, type EventOptions, ToldEvents } from './told-events.ts'

const page = readFileSync(new URL('../../docs/signals.md', import.meta.url), 'utf8')
const START = 1_005_000

/** Keys in backticks; what has no dot is a value. */
const keysIn = (text: string) =>
  [...text.matchAll(/`((?:[a-z0-9_]|<kind>)+(?:\.(?:[a-z0-9_]|<kind>)+)*)`/g)]
    .map(each => each[1]!)
    .filter(each => each.includes('.'))

function section(title: string): string {
  const start = page.indexOf(`\n## ${title}\n`)
  return page.slice(start, page.indexOf('\n## ', start + 1))
}

function paragraph(title: string): string[] {
  const start = page.indexOf(`**${title}**`)
  // Shares of keys in parentheses are values; of the edge's the overflow is alone.
  return keysIn(page.slice(start, page.indexOf('\n\n', start))).filter(key =>
    /^(source|destination|server|network|podweir|otel)\./.test(key),
  )
}

const shorthands: Readonly<Record<string, readonly string[]>> = {
  '*edge attributes*': paragraph('Edge attributes').filter(key => key !== 'otel.metric.overflow'),
  '*TCP figures*': paragraph('TCP figures'),
}

/** Rows of the table whose head is `head`: keys with a `yes` in that column. */
function documented(text: string, head: string, column: number): string[] {
  const lines = text.slice(text.indexOf(head)).split('\n')
  const end = lines.findIndex(line => !line.startsWith('|'))
  return lines
    .slice(2, end)
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
    .filter(cells => cells[column] === 'yes')
    .flatMap(([names]) => shorthands[names!] ?? keysIn(names!))
    .sort()
}

/** A Service at one end, names at others, failures, retransmissions, an end of each kind: one of everything. */
function everything(options: EventOptions): ToldEvents {
  const events = new ToldEvents({ ...options, traces: { edges: true, ...options.traces } })
  const { names, owners } = events.cluster
  Object.assign(names, { failureCause: () => 'no_such_port' })
  const placed = (identity: Identity): Identity => ({ ...identity, place: { node: 'n1' } })
  const naked: Identity = { class: 'service', service: { namespace: 'shop', name: 'naked' }, ports: new Set() }
  names.addresses.set('10.96.0.9', naked)
  names.addresses.set('10.0.0.2', placed(api))
  owners.set(1, { identity: placed(web), device: 'eth0' })
  const fromNode: StartedRow = { slot: 2, remote: '192.168.1.1', localPort: 80, remotePort: 9, opener: Opener.remote }
  const fromService = { ...fromNode, slot: 6, remote: '10.96.0.9' }
  const started: StartedRow[] = [
    { slot: 1 },
    fromNode,
    { slot: 3, remote: '10.96.0.1' },
    { slot: 4, remote: '8.8.8.8' },
    { slot: 5, remote: '10.96.0.9' },
    fromService,
  ]
  const side = { retransmits: 1, outOfOrder: 1, zeroWindows: 1, resets: 1, rttSumSeconds: 1 }
  const counts = { fromPodPackets: 1, toPodPackets: 1, opened: 1, fromPod: side, toPod: side }
  const times = { handshakeSeconds: 0.5, acceptedSeconds: 0.25, endedAtMs: START + 900, ended: Retired.yes }
  const ends = [
    { state: ConnectionState.closed, closed: Closed.fin },
    { state: ConnectionState.resetByLocal, closed: Closed.resetByLocal },
    { state: ConnectionState.refused, failed: Failed.refused },
  ]
  const flows = started.map(({ slot }, i) => ({ slot: slot!, ...counts, ...times, ...ends[i % ends.length]! }))
  const rtt = flows.flatMap((_, row) => [0, 1].map(direction => ({ row, direction })))
  const both = { sequence: 1, firstDataAtMs: START + 600 }
  const beginnings = flows.map((_, row) => ({
    row,
    synAtMs: START + 500,
    fromPod: both,
    ...(row > 0 && { toPod: both }),
  }))
  events.drain({ readAtMs: START + 1000, started, flows, rtt, beginnings })
  // At the end of its second window.
  return events.drain({ readAtMs: START + 15_000 })
}

const keysOf = (told: readonly (SpanRecord | LogRecord)[]) =>
  [...new Set(told.flatMap(each => Object.keys(attributesOf(each))))].sort()

function spansOf(kind: 'edge' | 'connection'): SpanRecord[] {
  const { spans } = everything({ traces: {} })
  return spans.filter(span => attributesOf(span)['podweir.span.kind'] === kind)
}

function resourceKeys(told: readonly (SpanRecord | LogRecord)[]): string[] {
  const keys = told.flatMap(({ resource }) => Object.keys(resource.set.attributes))
  return [...new Set(keys.map(key => key.replace('k8s.deployment.name', 'k8s.<kind>.name')))].sort()
}

describe('documentation of spans and log records', () => {
  const spans = section('Spans')
  const logs = section('Log records')

  it('lists the attributes of edge spans, and no others', () => {
    const levels = [
      'source.k8s.pod.name',
      'source.k8s.pod.uid',
      'destination.k8s.pod.name',
      'destination.k8s.pod.uid',
      'source.address',
      'destination.address',
    ]
    // The level decides about these: docs/signals.md says so where it lists them.
    const listed = documented(spans, '| attribute | edge | connection | |', 1).filter(key => !levels.includes(key))
    assert.deepEqual(listed, keysOf(spansOf('edge')))
  })

  it('lists the attributes of connection spans, and no others', () => {
    assert.deepEqual(documented(spans, '| attribute | edge | connection | |', 2), keysOf(spansOf('connection')))
  })

  it('lists events and their attributes, and no others', () => {
    const rows = [...spans.slice(spans.indexOf('| event of')).matchAll(/^\| `([a-z_]+)` \| ([^|]*) \|/gm)]
    const listed = rows.map(([, name, keys]) => [name!, keysIn(keys!).sort()])
    const emitted = new Map<string, Set<string>>()
    for (const { name, attributes } of spansOf('connection').flatMap(({ events }) => events!)) {
      const keys = emitted.get(name) ?? new Set()
      for (const key of Object.keys(attributes!.attributes)) keys.add(key)
      emitted.set(name, keys)
    }
    assert.deepEqual(
      new Map(listed as [string, string[]][]),
      new Map([...emitted].map(([name, keys]) => [name, [...keys].sort()])),
    )
  })

  it('lists what resources have, and no more', () => {
    const head = '| attribute | edge | connection, record | |'
    const { records } = everything({ logs: {} })
    assert.deepEqual(documented(spans, head, 1), resourceKeys(spansOf('edge')))
    assert.deepEqual(documented(spans, head, 2), resourceKeys(spansOf('connection')))
    assert.deepEqual(documented(spans, head, 2), resourceKeys(records))
  })

  for (const [column, profile] of [
    [1, 'default'],
    [2, 'netflow'],
  ] as const)
    it(`lists the attributes of log records in the profile ${profile}, and no others`, () => {
      const { records } = everything({ logs: { profile } })
      assert.ok(records.every(({ eventName }) => eventName === 'podweir.network.flow'))
      assert.deepEqual(documented(logs, '| attribute | `default`', column), keysOf(records))
    })

  it('names the records and their only other kind', () => {
    const events = new ToldEvents({ logs: { recordsPerSecond: 1 } })
    events
      .drain({ started: [{}, { slot: 8 }], flows: [{ ended: Retired.yes }, { slot: 8, ended: Retired.yes }] })
      .finish()
    const names = [...new Set(events.records.map(({ eventName }) => eventName))]
    assert.deepEqual(names, ['podweir.network.flow', 'podweir.network.flow.suppressed'])
    for (const name of [...names, ...keysOf([events.records.at(-1)!])]) assert.ok(logs.includes(`\`${name}\``), name)
  })
})
