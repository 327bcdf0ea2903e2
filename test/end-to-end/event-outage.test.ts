// Spans through all that happens to a receiver and to the way there: nothing is lost within the queue's bounds, and what is
// lost beyond them is counted. The truth is the file of a real Collector.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import { type Collector, prepareCollector, startCollector } from '../support/collector.ts'
import {
  assertAllReceived,
  EventsSent,
  type EventsSentOptions,
  type Protocol,
  receivedSpans,
} from '../support/events-sent.ts'
import { until } from '../support/until.ts'

let folder: string
let collector: Collector
let sent: EventsSent[]
let endings: (() => unknown)[]

before('build the Collector, once', async function () {
  this.timeout('15m')
  const building = mkdtempSync(join(tmpdir(), 'podweir-outage-'))
  await prepareCollector({ folder: building })
  rmSync(building, { recursive: true })
})

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-outage-'))
  sent = []
  endings = []
})

afterEach(async () => {
  for (const each of sent) await each.close()
  for (const end of endings.reverse()) await end()
  await collector?.stop()
  rmSync(folder, { recursive: true })
})

function events(protocol: Protocol, options: Partial<EventsSentOptions> = {}): EventsSent {
  const endpoint = protocol === 'otlp_grpc' ? collector.endpoint : collector.httpEndpoint
  const made = new EventsSent({ protocol, endpoint, ...options })
  sent.push(made)
  return made
}

/** Bytes after which connections are cut, on the way there or on the way back, each its own. */
const CUTS = [{ there: 100 }, { there: 900 }, { back: 1 }, { there: 5000 }, { back: 120 }, { there: 30_000 }]

class BrokenWire {
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #connections = 0
  /** From now on it holds. */
  mended = false

  constructor(port: number) {
    this.#server = createServer(near => {
      const far = connect(port, '127.0.0.1')
      const cut: { there?: number; back?: number } = CUTS[this.#connections++ % CUTS.length]!
      this.#carry(near, far, cut.there)
      this.#carry(far, near, cut.back)
    })
  }

  async start(): Promise<number> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #carry(from: Socket, to: Socket, bytes = Number.POSITIVE_INFINITY): void {
    let carried = 0
    this.#sockets.add(from)
    from.on('error', () => {})
    from.once('close', () => to.destroy())
    from.on('data', chunk => {
      carried += chunk.length
      if (carried < bytes || this.mended) return void to.write(chunk)
      from.resetAndDestroy()
      to.resetAndDestroy()
    })
  }
}

for (const protocol of ['otlp_grpc', 'otlp_http'] as const)
  describe(`spans by ${protocol}`, function () {
    this.timeout(60_000)

    it('wait while there is no receiver, and arrive once', async () => {
      collector = await prepareCollector({ folder })
      const spans = events(protocol)
      await spans.pushDuring(() => sleep(300))
      assert.ok(spans.queue.failures > 1)
      assert.equal(spans.queue.counts.delivered, 0)
      await collector.restart()
      await spans.delivered()
      await collector.stop()
      assertAllReceived(collector, spans, true)
    })

    it('arrive through restarts of the receiver', async () => {
      collector = await startCollector({ folder })
      const spans = events(protocol)
      for (let i = 0; i < 3; i++)
        await spans.pushDuring(async () => {
          await sleep(100)
          await collector.stop()
          await sleep(100)
          await collector.restart()
          await sleep(100)
        })
      await spans.delivered()
      await collector.stop()
      assertAllReceived(collector, spans, false)
    })

    it('arrive after a receiver that was killed, but for what it had taken and not written', async () => {
      collector = await startCollector({ folder })
      const spans = events(protocol)
      spans.push(20)
      await spans.delivered()
      // It writes every 100 ms.
      await until('it has written', () => receivedSpans(collector).size === spans.pushed.length)
      await collector.kill()
      spans.push(20)
      await sleep(100)
      await collector.restart()
      await spans.delivered()
      await collector.stop()
      assertAllReceived(collector, spans, true)
    })

    it('arrive after a receiver that stood still without a word', async () => {
      collector = await startCollector({ folder })
      const spans = events(protocol, { target: { timeoutMs: 200 } })
      spans.push(5)
      await spans.delivered()
      collector.process.pause()
      await spans.pushDuring(() => sleep(700))
      assert.ok(spans.queue.failures >= 2, `${spans.queue.failures} failures`)
      assert.match(spans.captured.messages.join('\n'), /did not answer in time/)
      collector.process.resume()
      await spans.delivered()
      await collector.stop()
      assertAllReceived(collector, spans, false)
    })

    // gRPC's library reads the wall clock for its own deadlines: a clock of ours can't step for it.
    const clocks = protocol === 'otlp_http' ? ', and through clocks that step by hours' : ''

    it(`arrive over a wire that is cut again and again${clocks}`, async () => {
      collector = await startCollector({ folder })
      const wire = new BrokenWire(protocol === 'otlp_grpc' ? collector.grpcPort : collector.httpPort)
      const port = await wire.start()
      endings.push(() => wire.stop())
      let stepMs = 0
      const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + stepMs }
      const options = protocol === 'otlp_http' ? { clock } : {}
      const spans = events(protocol, { endpoint: `http://127.0.0.1:${port}`, ...options })
      await spans.pushDuring(async () => {
        for (const hours of [1, -1, 24, 0]) {
          stepMs = hours * 3_600_000
          await sleep(250)
        }
      })
      assert.ok(spans.queue.failures > 3, `${spans.queue.failures} failures`)
      wire.mended = true
      await spans.delivered()
      await collector.stop()
      assertAllReceived(collector, spans, false)
    })

    it('give way to newer ones in an outage that is too long, and are counted', async () => {
      collector = await prepareCollector({ folder })
      const spans = events(protocol, { limits: { bytes: 20_000, items: 1e6 } })
      spans.push(100)
      const { counts } = spans.queue
      await until('an attempt', () => spans.queue.failures > 0)
      const waiting = counts.queue.items
      assert.ok(counts.queue.bytes <= 20_000 && waiting > 0)
      assert.equal(counts.lost.get('queue_full'), 500 - waiting)
      await collector.restart()
      await spans.delivered()
      await collector.stop()
      // The first was with the receiver, as far as anyone knew, when the others came.
      const newest = new Set(spans.pushed.slice(500 - waiting))
      const others = [...receivedSpans(collector).keys()].filter(spanId => !newest.has(spanId))
      assert.equal(receivedSpans(collector).size, waiting)
      assert.ok(
        others.every(spanId => spans.pushed.indexOf(spanId) < 5),
        others.join(' '),
      )
    })

    it('come again to a receiver that has no memory for them now', async () => {
      collector = await startCollector({ folder, config: withMemory(1) })
      const spans = events(protocol)
      // The limiter looks after 100 ms for the first time.
      await sleep(500)
      spans.push(3)
      await until('it was turned away', () => spans.queue.failures > 0)
      assert.equal(spans.queue.counts.lost.size, 0)
      assert.match(spans.captured.messages.join('\n'), /memory|unavailable/i)
      await collector.stop()
      collector.give(withMemory(1000))
      await collector.restart()
      await spans.delivered()
      await collector.stop()
      assertAllReceived(collector, spans, true)
    })
  })

describe('a request that is larger than a receiver takes', function () {
  this.timeout(60_000)

  it('is refused by gRPC above 4 MiB, and ours are not', async () => {
    collector = await startCollector({ folder })
    const spans = events('otlp_grpc', { target: { timeoutMs: 10_000 } })
    spans.push(1, 30_000)
    await spans.delivered()
    const tooLarge = { signal: 'traces', items: 9, body: Buffer.alloc(4 * 1024 * 1024 + 1) } as const
    void spans.queue.push(tooLarge)
    await spans.delivered()
    assert.deepEqual(Object.fromEntries(spans.queue.counts.lost), { refused: 9 })
    assert.match(spans.captured.messages.join('\n'), /has no room for the request: .*larger than max/)
    await collector.stop()
    assertAllReceived(collector, spans, true)
  })
})

function withMemory(mebibytes: number): string {
  return `
receivers:
  otlp:
    protocols:
      grpc: { endpoint: "\${env:HOST}:\${env:GRPC_PORT}" }
      http: { endpoint: "\${env:HOST}:\${env:HTTP_PORT}" }
processors:
  memory_limiter: { check_interval: 100ms, limit_mib: ${mebibytes} }
exporters:
  file: { path: "\${env:OUT}", append: true, flush_interval: 100ms }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], processors: [memory_limiter], exporters: [file] }
`
}
