// An agent that sends all three signals to a real Collector: they say the same.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { type CollectedAgent, withCollectedAgent } from '../support/collected-agent.ts'
import { attributeRecord, type OtlpAttribute, type OtlpLogRecord, type OtlpSpan } from '../support/collected-otlp.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'

const CLIENT = 3
const PORT = 8080

interface Told<Item> {
  readonly item: Item
  readonly said: Record<string, string>
  readonly resource: Record<string, string>
}

const toldOf = <Item extends { attributes?: OtlpAttribute[] }>(
  item: Item,
  resource: { attributes?: OtlpAttribute[] },
): Told<Item> => ({
  item,
  said: attributeRecord(item.attributes),
  resource: attributeRecord(resource.attributes),
})

describe('spans, log records and metrics of the same traffic', function () {
  this.timeout(90_000)
  const namespaces = new Namespaces()
  let a: TestNamespace
  let b: TestNamespace
  let made: CollectedAgent
  withCollectedAgent(collected => {
    made = collected
  })

  before(async () => {
    ;({ a, b } = await namespaces.createPair())
    await b.serve('tcp-serve', '--port', PORT, '--request', 64, '--response', 5000)
  })
  after(() => namespaces.remove())

  const spans = (): Told<OtlpSpan>[] =>
    made.collector
      .traceRequests()
      .flatMap(({ resourceSpans }) => resourceSpans)
      .flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(scope => scope.spans.map(span => toldOf(span, resource))),
      )

  const records = (): Told<OtlpLogRecord>[] =>
    made.collector
      .logsRequests()
      .flatMap(({ resourceLogs }) => resourceLogs)
      .flatMap(({ resource, scopeLogs }) =>
        scopeLogs.flatMap(scope => scope.logRecords.map(each => toldOf(each, resource))),
      )

  const sumOf = (told: readonly Told<unknown>[], key: string) =>
    told.reduce((sum, { said }) => sum + Number(said[key] ?? 0), 0)
  const metric = (name: string, where = {}) => Number(made.collector.sums(`podweir.network.${name}`, where))

  function start(more: Omit<Parameters<CollectedAgent['start']>[0], 'pods'>): Promise<void> {
    const pods = [
      { name: 'a', namespace: a },
      { name: 'b', namespace: b },
    ]
    return made.start({ pods, ...more })
  }

  /** Each with a request of its own. */
  const connect = (...more: (string | number)[]) =>
    a.traffic(
      ...['tcp-request', '--to', b.addresses.v4, '--port', PORT],
      ...['--response', 5000, '--connections', 'each', ...more],
    )

  /** Everything has left the table, and everything is in the file. */
  async function finish(): Promise<void> {
    await made.agent.until('nothing is live', ({ flows }) => flows.live === 0, 30_000)
    assert.equal((await made.agent.stop()).code, 0)
    await made.collector.stop()
  }

  it('add up to the same bytes, packets and connections', async () => {
    const retire = { closed: '1s', failed: '1s', datagram: '1s' }
    const traces = { window: '5s', connections: 'all' }
    await start({
      signals: ['metrics', 'traces', 'logs'],
      receiver: { retire, traces, logs: { flows: 'all' } },
    })
    await connect('--count', 30, '--rate', 5)
    await a.traffic('udp-send', '--to', b.addresses.v4, '--port', 9, '--count', 50, '--tuples', 5)
    await a.traffic('ping', '--to', b.addresses.v4, '--count', 3)
    await a.traffic('refused', '--to', b.addresses.v4, '--port', 99, '--count', 4)
    await finish()

    const edges = spans().filter(({ said, item }) => said['podweir.span.kind'] === 'edge' && item.kind === CLIENT)
    for (const [direction, end] of [
      ['request', 'request'],
      ['response', 'response'],
    ] as const)
      for (const what of ['bytes', 'packets']) {
        const counted = metric(`flow.${what}`, { 'podweir.flow.direction': direction })
        assert.ok(counted > 0)
        assert.equal(sumOf(edges, `podweir.flow.${what}.${end}`), counted, `edge spans, ${what} ${direction}`)
        assert.equal(sumOf(records(), `podweir.flow.${what}.${end}`), counted, `records, ${what} ${direction}`)
      }
    assert.equal(sumOf(edges, 'podweir.connection.opened'), metric('connection.opened'))
    assert.equal(sumOf(edges, 'podweir.connection.failed'), metric('connection.failed'))
    // Nobody listens at the datagrams' port.
    assert.deepEqual(
      ['refused', 'unreachable'].map(why => metric('connection.failed', { 'error.type': why })),
      [4, 5],
    )

    // Both ends of the connections are observed here.
    const connections = spans().filter(
      ({ said, item }) => said['podweir.span.kind'] === 'connection' && item.name === `tcp b:${PORT}`,
    )
    assert.deepEqual([connections.length, new Set(connections.map(({ item }) => item.traceId)).size], [60, 30])
    const parents = new Set(connections.map(({ item }) => item.spanId))
    assert.ok(connections.every(({ item }) => item.kind === CLIENT || parents.has(item.parentSpanId ?? '')))
  })

  it('tell of a failed attempt by a span and a record that name each other, and of nothing else', async () => {
    await start({
      signals: ['traces', 'logs'],
      receiver: { retire: { closed: '1s', failed: '1s' }, traces: { edges: 'off' } },
    })
    await connect('--count', 3)
    await a.traffic('refused', '--to', b.addresses.v4, '--port', 99, '--count', 2)
    await finish()
    const ofClient = spans().filter(({ item }) => item.kind === CLIENT)
    assert.deepEqual(
      ofClient.map(({ item, said, resource }) => [
        item.name,
        item.status?.message,
        said['error.type'],
        resource['service.name'],
      ]),
      Array(2).fill(['tcp b:99', 'refused', 'refused', 'a (net)']),
    )
    const told = records()
    assert.deepEqual(
      told.map(({ item, said }) => [item.eventName, item.severityText, said['destination.port']]),
      Array(2).fill(['podweir.network.flow', 'WARN', '99']),
    )
    const ids = (item: { traceId?: string; spanId?: string }) => `${item.traceId} ${item.spanId}`
    assert.deepEqual(told.map(({ item }) => ids(item)).sort(), ofClient.map(({ item }) => ids(item)).sort())
  })

  it('leave out records beyond the cap, and say how many', async () => {
    await start({
      signals: ['logs'],
      receiver: { retire: { failed: '1s' }, logs: { flows: 'failed', records_per_second: 5 } },
    })
    await a.traffic('refused', '--to', b.addresses.v4, '--port', 99, '--count', 40, '--rate', 200)
    await finish()
    const flows = records().filter(({ item }) => item.eventName === 'podweir.network.flow')
    const left = sumOf(records(), 'podweir.flow.suppressed')
    assert.equal(flows.length + left, 40)
    assert.ok(left > 10, String(left))
  })
})
