// API servers that fail in every way: requests per minute stay bounded, nothing ends, and all is well as soon as the server is.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import type { ClusterConnection } from '../../lib/kubernetes/cluster-connection.ts'
import { ClusterWatch } from '../../lib/kubernetes/cluster-watch.ts'
import { WATCH_TIMES, type WatchTimes } from '../../lib/kubernetes/watch-times.ts'
import { capturedLog } from '../support/captured-log.ts'
import { KeptObjects } from '../support/kept-objects.ts'
import { bookmark, event, list, PretendApiServer, pod, status, wellBehaved } from '../support/pretend-api-server.ts'
import { show } from '../support/show.ts'
import { until } from '../support/until.ts'

/** A minute of the agent's is 0.6 s here. */
const FASTER = 100
const MINUTE_MS = 60_000 / FASTER
const RESOURCES = 4
/** In the first minute: 500 ms, doubling to 30 s, each at random below that. Afterwards: one in 15 s, on average. */
const FIRST_MINUTE_LIMIT = 14
const LATER_MINUTE_LIMIT = 10

const TIMES: WatchTimes = {
  backOff: { firstMs: WATCH_TIMES.backOff.firstMs / FASTER, mostMs: WATCH_TIMES.backOff.mostMs / FASTER },
  forbiddenMs: WATCH_TIMES.forbiddenMs / FASTER,
  livedMs: WATCH_TIMES.livedMs / FASTER,
  reasonMs: WATCH_TIMES.reasonMs / FASTER,
  worksMs: WATCH_TIMES.worksMs / FASTER,
  stalledMs: WATCH_TIMES.stalledMs / FASTER,
  watchMs: [240_000, 480_000],
  watchWithoutPingsMs: [35_000, 45_000],
  overdueMs: WATCH_TIMES.overdueMs / FASTER,
  listingMs: WATCH_TIMES.listingMs / FASTER,
}

type Failing = (response: ServerResponse) => void

/** Half of the bytes, then nothing more of it. */
const half = (text: string) => text.slice(0, text.length / 2)

const ways: Readonly<Record<string, Failing>> = {
  'closes every connection': response => response.destroy(),
  'closes every connection after the head': response => response.writeHead(200).flushHeaders() ?? response.destroy(),
  'ends every answer at once': response => response.writeHead(200).end(),
  'answers 401': response => response.writeHead(401).end(status(401, 'Unauthorized')),
  'answers 403': response => response.writeHead(403).end(status(403, 'forbidden')),
  'answers 404': response => response.writeHead(404).end('404 page not found'),
  'answers 410 to everything': response => response.writeHead(410).end(status(410, 'Expired')),
  'answers 410 as an event': response => response.writeHead(200).end(event('ERROR', { code: 410 })),
  'answers 422 to everything': response => response.writeHead(422).end(status(422, 'Invalid')),
  'answers 429 without a word of how long': response => response.writeHead(429).end(),
  'answers 500': response => response.writeHead(500).end(status(500, 'etcdserver: leader changed')),
  'answers 503': response => response.writeHead(503).end('apiserver not ready'),
  'answers 504': response => response.writeHead(504).end(),
  'answers half an error': response => response.writeHead(500).write('{"kind":"Sta'),
  'sends garbage': response => response.writeHead(200).end('\0\x01\xff<html>\n[[[}}}'),
  'sends JSON that is none of the API’s': response => response.writeHead(200).end('[1,2,3]\n"x"\nnull\n'),
  'sends half an event': response => response.writeHead(200).end(half(event('ADDED', pod('a')))),
  'sends half a list': response => response.writeHead(200).end(half(list([pod('a'), pod('b')], '7'))),
  'ends a watch as soon as all is told': response => response.writeHead(200).end(bookmark('7', true)),
  'says nothing after the head': response => response.writeHead(200).flushHeaders(),
}

let server: PretendApiServer
let connection: ClusterConnection
let kept: KeptObjects
let watch: ClusterWatch

describe('watching a cluster', () => {
  beforeEach(async () => {
    kept = new KeptObjects()
    server = await PretendApiServer.start((_, response) => response.destroy())
    connection = server.connection()
  })

  afterEach(async () => {
    await watch.close()
    connection.close()
    await server.stop()
  })

  function start(): void {
    watch = new ClusterWatch({
      ...{ config: { peers: 'watch' }, connection, kept: { labels: [], annotations: [] } },
      ...{ listener: kept, log: capturedLog().log, clock: systemClock, times: TIMES },
    })
    watch.start()
  }

  describe('a server that', function () {
    this.timeout(20_000)
    for (const [way, fail] of Object.entries(ways))
      it(`${way} is asked seldom, and watched as soon as it works`, async function () {
        server.answer = (_, response) => fail(response)
        start()
        const beginMs = systemClock.monotonicMs()
        await sleep(2 * MINUTE_MS)
        const perMinute = [0, 1].map(minute => {
          const fromMs = beginMs + minute * MINUTE_MS
          return server.since(fromMs).filter(({ atMs }) => atMs < fromMs + MINUTE_MS).length / RESOURCES
        })
        show(this, `requests for a resource: ${perMinute[0]} in the first minute, ${perMinute[1]} in the second`)
        assert.ok(perMinute[0]! >= 1 && perMinute[0]! <= FIRST_MINUTE_LIMIT, `${perMinute[0]}`)
        assert.ok(perMinute[1]! <= LATER_MINUTE_LIMIT, `${perMinute[1]}`)
        server.answer = wellBehaved(() => [pod('a')])
        await until(
          () => JSON.stringify(watch.state()),
          () => Object.values(kept.syncs).every(syncs => syncs > 0) && kept.podNames.join() === 'a',
          { limitMs: 5 * MINUTE_MS },
        )
      })

    it('takes 10 s for every answer is waited for, with one request at a time of each resource', async () => {
      const well = wellBehaved(() => [pod('a')])
      const waiting = new Set<NodeJS.Timeout>()
      server.answer = (request, response) => {
        waiting.add(setTimeout(() => well(request, response), 10_000 / FASTER))
      }
      start()
      await until('everything', () => Object.values(kept.syncs).every(syncs => syncs > 0))
      assert.equal(server.requests.length, RESOURCES)
      for (const timer of waiting) clearTimeout(timer)
    })

    it('forbids one resource has the others watched all the same', async () => {
      server.answer = (request, response) => {
        if (request.path !== '/api/v1/services') return wellBehaved(() => [pod('a')])(request, response)
        response.writeHead(403).end(status(403, 'services is forbidden'))
      }
      start()
      await until('three of them', () => Object.values(kept.syncs).filter(syncs => syncs > 0).length === RESOURCES - 1)
      await until('the state', () => watch.state().some(({ degraded }) => degraded))
      const [degraded] = watch.state().filter(each => each.degraded)
      assert.equal(degraded!.resource, 'services')
      assert.deepEqual(degraded!.degraded!.missingRule, { apiGroup: '', resource: 'services', verb: 'watch' })
    })
  })
})
