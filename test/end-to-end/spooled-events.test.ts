// Spans and log records on disk while a real Collector is away, and agents that are killed meanwhile: whatever a file had
// arrives, and what comes twice is the same both times.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { stringify } from 'yaml'
import { type CollectedAgent, withCollectedAgent } from '../support/collected-agent.ts'
import { attributeRecord, type OtlpLogsRequest, type OtlpTraceRequest } from '../support/collected-otlp.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { decodeRequest } from '../support/otlp-decoder.ts'
import { until } from '../support/until.ts'

const PORT = 8080
const REFUSING = 99
/** Magic, length and checksum in front of a request in its file. */
const HEADER_BYTES = 12
const QUICK = { initial_interval: '50ms', max_interval: '200ms' }

/** What identifies a span or record, and all that it says. */
type Items = Map<string, string[]>

interface Carried {
  readonly spans: Items
  readonly records: Items
}

describe('spans and log records in a file storage', function () {
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
    await b.serve('tcp-serve', '--port', PORT, '--request', 64, '--response', 500)
  })
  after(() => namespaces.remove())

  const directory = () => join(made.folder, 'spool')

  function start(delivery: object, receiver: object = {}): Promise<void> {
    return made.start({
      pods: [
        { name: 'a', namespace: a },
        { name: 'b', namespace: b },
      ],
      signals: ['traces', 'logs'],
      receiver: { retire: { closed: '1s', failed: '1s' }, ...receiver },
      more: stringify({
        exporters: { otlp_grpc: delivery },
        extensions: { file_storage: { directory: directory() } },
        service: { extensions: ['api', 'file_storage'] },
      }),
    })
  }

  const spooling = () =>
    start(
      { retry_on_failure: QUICK, sending_queue: { storage: 'file_storage' } },
      { traces: { window: '5s', connections: 'all' }, logs: { flows: 'all', records_per_second: 10_000 } },
    )

  const connect = (count: number, rate: number) => {
    const each = ['--connections', 'each', '--count', count, '--rate', rate] as const
    return a.traffic('tcp-request', '--to', b.addresses.v4, '--port', PORT, '--response', 500, ...each)
  }
  const refused = (count: number) => a.traffic('refused', '--to', b.addresses.v4, '--port', REFUSING, '--count', count)

  /** Paths of requests that nobody has yet. */
  function filesOf(signal: 'traces' | 'logs'): string[] {
    const folder = join(directory(), `otlp_grpc.${signal}`)
    const files = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.request')) : []
    return files.map(name => join(folder, name))
  }

  const requestsOnDisk = (signal: 'traces' | 'logs'): unknown[] =>
    filesOf(signal).map(path => decodeRequest(signal, readFileSync(path).subarray(HEADER_BYTES)))

  const onDisk = (): Carried => ({
    spans: spansOf(requestsOnDisk('traces') as OtlpTraceRequest[]),
    records: recordsOf(requestsOnDisk('logs') as OtlpLogsRequest[]),
  })
  const received = (): Carried => ({
    spans: spansOf(made.collector.traceRequests()),
    records: recordsOf(made.collector.logsRequests()),
  })

  it('arrive after agents were killed while the Collector was away, and while it came back', async () => {
    await made.collector.stop()
    await spooling()
    await refused(7)
    // Both ends are observed: each attempt has a record and a span of each.
    await until('the attempts are on disk', () => attemptsIn(onDisk()) >= 7)
    const sending = connect(400, 100)
    await sleep(2_500)
    await made.agent.kill()
    await sending
    const first = onDisk()
    assert.ok(first.spans.size > 100 && first.records.size > 50, `${first.spans.size}, ${first.records.size}`)

    await spooling()
    await connect(100, 100)
    await sleep(1_500)
    await made.agent.kill()
    const second = onDisk()
    assertHas(second, first, 'what the first agent had written')
    assert.ok(second.spans.size > first.spans.size)

    await made.collector.restart()
    await spooling()
    await until('something is sent', () => filesOf('traces').length < 10)
    await made.agent.kill()
    await spooling()
    await until('all is sent', () => filesOf('traces').length + filesOf('logs').length === 0)
    assert.equal((await made.agent.stop()).code, 0)
    await made.collector.stop()
    const arrived = received()
    assertHas(arrived, second, 'what was accepted')
    assert.equal(attemptsIn(arrived), 7)
    for (const copies of [...arrived.spans.values(), ...arrived.records.values()])
      assert.equal(new Set(copies).size, 1, copies.join('\n'))
  })

  it('give way to newer ones beyond the queue, the oldest first', async () => {
    await made.collector.stop()
    await start({ retry_on_failure: QUICK, sending_queue: { queue_items: 3 } }, { traces: { edges: 'off' } })
    for (let i = 0; i < 8; i++) {
      await refused(1)
      await sleep(300)
    }
    await made.collector.restart()
    await until('records', () => received().records.size > 0)
    assert.equal((await made.agent.stop()).code, 0)
    await made.collector.stop()
    // One more may be under way: it does not give way.
    assert.ok(received().records.size <= 4, `${received().records.size} records`)
    assert.ok(received().spans.size <= 4, `${received().spans.size} spans`)
  })

  it('are given up at once where nothing is to be sent again', async () => {
    await made.collector.stop()
    await start({ retry_on_failure: { enabled: false } }, { traces: { edges: 'off' } })
    await refused(5)
    await sleep(2_000)
    await made.collector.restart()
    await sleep(500)
    await refused(2)
    await until('the new ones', () => received().records.size >= 2)
    assert.equal((await made.agent.stop()).code, 0)
    await made.collector.stop()
    assert.equal(attemptsIn(received()), 2)
  })
})

function add(items: Items, key: string, said: object): void {
  items.set(key, [...(items.get(key) ?? []), JSON.stringify(said)])
}

function spansOf(requests: readonly OtlpTraceRequest[]): Items {
  const items: Items = new Map()
  for (const { resourceSpans } of requests)
    for (const { resource, scopeSpans } of resourceSpans)
      for (const span of scopeSpans.flatMap(({ spans }) => spans))
        add(items, `${span.traceId} ${span.spanId}`, { ...span, resource })
  return items
}

/** A flow's record is known by the flow and its beginning; both ends are observed here, and one of them tells. */
function recordsOf(requests: readonly OtlpLogsRequest[]): Items {
  const items: Items = new Map()
  for (const { resourceLogs } of requests)
    for (const { resource, scopeLogs } of resourceLogs)
      for (const record of scopeLogs.flatMap(({ logRecords }) => logRecords)) {
        const said = attributeRecord(record.attributes)
        const flow = ['podweir.flow.community_id', 'podweir.flow.start', 'destination.port'].map(key => said[key])
        add(items, flow.join(' '), { ...record, resource })
      }
  return items
}

/** Attempts to connect that were refused: those with a record. */
function attemptsIn({ records }: Carried): number {
  return [...records.keys()].filter(key => key.endsWith(` ${REFUSING}`)).length
}

function assertHas(all: Carried, some: Carried, what: string): void {
  for (const key of ['spans', 'records'] as const)
    assert.deepEqual(
      [...some[key].keys()].filter(each => !all[key].has(each)),
      [],
      `${what}: ${key}`,
    )
}
