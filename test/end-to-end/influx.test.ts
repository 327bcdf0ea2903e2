import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { stringify } from 'yaml'
import { defaultDelivery } from '../../lib/config/default-delivery.ts'
import type { InfluxExporterConfig } from '../../lib/config/influx-exporter.ts'
import { MetricLinesEncoder } from '../../lib/encode/metric-lines.ts'
import { InfluxHttpSender } from '../../lib/export/influx-http-sender.ts'
import { MetricOutlet } from '../../lib/export/metric-outlet.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'
import { GrowingCounters } from '../export/growing-counters.ts'
import { Agent } from '../support/agent.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { exporterConfig } from '../support/exporter-config.ts'
import { type InfluxDb, startInfluxDb } from '../support/influxdb.ts'
import { Namespaces } from '../support/namespaces.ts'
import { ensureServer, freePorts } from '../support/server-process.ts'
import { skip } from '../support/skip.ts'
import { seriesIn, ToldLines } from '../support/told-lines.ts'
import { tellEverything } from '../support/told-metrics.ts'
import { until } from '../support/until.ts'

let folder: string
let influx: InfluxDb
let outlets: MetricOutlet[] = []

const settings = () => ({ endpoint: influx.url, version: 'v1', database: influx.database })

function sender(): InfluxHttpSender {
  return new InfluxHttpSender(exporterConfig('influx', settings()) as InfluxExporterConfig, systemClock)
}

function outletOf(counters: GrowingCounters, captured: CapturedLog): MetricOutlet {
  const outlet = new MetricOutlet({
    id: 'influx',
    source: counters,
    encoder: new MetricLinesEncoder({ temporality: 'cumulative' }),
    sender: sender(),
    retry: defaultDelivery.retry,
    ...{ isDelta: false, intervalMs: 60_000, log: captured.log, clock: systemClock },
  })
  outlets.push(outlet)
  return outlet
}

/** Of the last value of each series. */
async function sumOf(measurement: string, field: string): Promise<number> {
  const rows = await influx.query(`SELECT last("${field}") FROM "${measurement}" GROUP BY *`)
  return rows.reduce((sum, { values }) => sum + Number(values[0]![1]), 0)
}

describe('a real InfluxDB', function () {
  this.timeout(60_000)

  before('fetch it, once', async function () {
    this.timeout('10m')
    await ensureServer('influxdb', '1.6.7')
  })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-influx-'))
    influx = await startInfluxDb({ folder })
  })

  afterEach(async () => {
    for (const outlet of outlets) await outlet.close(100)
    outlets = []
    await influx.stop()
    rmSync(folder, { recursive: true })
  })

  it('has every point of every kind as it was told', async () => {
    const encoder = new MetricLinesEncoder({ temporality: 'cumulative' })
    const told = new ToldLines()
    tellEverything(encoder)
    tellEverything(told)
    const to = sender()
    assert.deepEqual(await to.send(encoder.finish()), { kind: 'delivered', rejected: 0 })
    await to.close()
    assert.deepEqual(seriesIn(await influx.everything()), told.series)
  })

  it('has the sum of 5,000 series with names of every form', async () => {
    const names = ['a b', 'c,d', 'e=f', 'g\\', 'h"i', 'j\\,k', 'ü → 🚀', '#l', '_m', "n'o"]
    const bases = Array.from({ length: 5_000 }, (_, i) => new AttributeSet({ i, 'a,b =c': `${names[i % 10]}` }))
    const counters = new GrowingCounters(bases)
    const captured = capturedLog()
    const outlet = outletOf(counters, captured)
    await outlet.flush()
    await outlet.close(10_000)
    assert.deepEqual(captured.messages, [])
    assert.equal(await sumOf('n', 'counter'), 5_000 * counters.total)
    const [, ...tags] = await influx
      .query('SHOW TAG VALUES FROM "n" WITH KEY = "a,b =c"')
      .then(rows => ['values', ...rows[0]!.values.map(([, value]) => value)])
    assert.deepEqual(tags.sort(), names.map(name => name.replace(/\\$/, '')).sort())
  })

  it('refuses lines of another type and takes the rest: told, counted, and told again until it takes them', async () => {
    assert.equal((await influx.write('n,service.name=podweir,host.name=node-1,i=1 counter=1.5')).status, 204)
    const counters = new GrowingCounters([new AttributeSet({ i: '0' }), new AttributeSet({ i: '1' })])
    const captured = capturedLog()
    const outlet = outletOf(counters, captured)
    await outlet.flush()
    const { delivered, lost, produced, superseded } = outlet.items
    assert.match(captured.messages[0]!, /rejected \d of its points: partial write: field type conflict/)
    assert.equal(produced, 4)
    assert.equal(delivered + superseded + [...lost.values()].reduce((sum, each) => sum + each, 0), produced)
    assert.ok(lost.get('rejected')! >= 1)
    await influx.query('DROP MEASUREMENT "n"')
    await outlet.close(10_000)
    assert.equal(await sumOf('n', 'counter'), 2 * counters.total)
  })

  it('says that there is no such database', async () => {
    await influx.query('DROP DATABASE podweir')
    const captured = capturedLog()
    const outlet = outletOf(new GrowingCounters(), captured)
    await outlet.flush()
    assert.match(captured.messages[0]!, /no such place \(404\): database not found: .*; check database/)
    assert.equal(outlet.items.lost.get('refused'), 2)
    await outlet.close(1_000)
  })

  it('counts on exactly when it was killed and is back', async () => {
    const counters = new GrowingCounters()
    const captured = capturedLog()
    const outlet = outletOf(counters, captured)
    await outlet.flush()
    await influx.process.kill()
    await outlet.flush()
    assert.match(captured.messages[0]!, /refused the connection; the counts stay/)
    await influx.process.start()
    await until('it is ready', () => influx.isReady(), { limitMs: 20_000 })
    await outlet.close(10_000)
    assert.equal(await sumOf('n', 'counter'), counters.total)
    assert.equal(counters.acknowledged, counters.total)
  })

  describe('fed by the agent', () => {
    let namespaces: Namespaces | undefined
    before(function () {
      if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    })
    after(() => namespaces?.remove())

    it('has each datagram once, as sums and as differences, and so has a socket of Telegraf’s kind', async () => {
      namespaces = new Namespaces()
      const { a, b } = await namespaces.createPair()
      const [port] = await freePorts(1)
      const lines: string[] = []
      const server = createServer(socket => socket.setEncoding('utf8').on('data', text => lines.push(`${text}`)))
      server.listen(port, '127.0.0.1')
      const exporters = {
        influx: settings(),
        'influx/netapp': { ...settings(), profile: 'netapp' },
        'influx/telegraf': { transport: 'tcp', endpoint: `127.0.0.1:${port}` },
      }
      const pipelines = { metrics: { receivers: ['podweir'], exporters: Object.keys(exporters) } }
      const more = stringify({ exporters, service: { pipelines } })
      const pods = [
        { name: 'a', namespace: a },
        { name: 'b', namespace: b },
      ]
      const agent = await Agent.start({ folder, pods, more })
      await a.traffic('udp-send', '--to', b.addresses.v4, '--port', 9000, '--count', 1_234)
      await agent.until('all is drained', ({ ledger }) => ledger.packets.seen >= 1_234)
      const { code, stderr } = await agent.stop()
      server.close()
      assert.equal(code, 0, stderr)
      const edge = `"podweir.network.flow.packets" WHERE "server.port" = '9000' AND "podweir.flow.direction" = 'request'`
      const [sums] = await influx.query(`SELECT max("counter") FROM ${edge}`)
      assert.equal(sums!.values[0]![1], 1_234)
      const [rows] = await influx.query(
        `SELECT sum("packets_sent") FROM "podweir_flow" WHERE "dst_port" = '9000' AND "workload_name" = 'a' AND "dst_workload_name" = 'b'`,
      )
      assert.equal(rows!.values[0]![1], 1_234)
      const [pod] = await influx.query(`SELECT sum("packets_sent") FROM "podweir_pod" WHERE "pod_name" = 'a'`)
      assert.ok(Number(pod!.values[0]![1]) >= 1_234)
      const told = lines.join('').split('\n')
      const last = told.filter(line =>
        /^podweir.network.flow.packets,.*server.port=9000.*direction=request /.test(line),
      )
      assert.match(last.at(-1)!, / counter=1234i,/)
      assert.doesNotMatch(stderr, /rejected|refused/)
    })
  })
})
