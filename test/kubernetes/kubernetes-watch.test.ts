// Listing and watching one resource, against a server that behaves as badly as we like. What a real one does is in test/end-to-end.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import type { ClusterConnection } from '../../lib/kubernetes/cluster-connection.ts'
import { watchedResources } from '../../lib/kubernetes/cluster-watch.ts'
import { KubernetesWatch } from '../../lib/kubernetes/kubernetes-watch.ts'
import { ObjectParser } from '../../lib/kubernetes/object-parser.ts'
import { WATCH_TIMES, type WatchTimes } from '../../lib/kubernetes/watch-times.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { KeptObjects } from '../support/kept-objects.ts'
import { bookmark, event, list, PretendApiServer, pod, status, wellBehaved } from '../support/pretend-api-server.ts'
import { until } from '../support/until.ts'

const TIMES: WatchTimes = {
  ...WATCH_TIMES,
  ...{ backOff: { firstMs: 10, mostMs: 100 }, forbiddenMs: 300, livedMs: 100, worksMs: 50, stalledMs: 300 },
  ...{ watchWithoutPingsMs: [30_000, 30_000], overdueMs: 300 },
}

let server: PretendApiServer
let connection: ClusterConnection
let kept: KeptObjects
let log: CapturedLog
let watch: KubernetesWatch

function startWatch(times: WatchTimes = TIMES, nodeName?: string): void {
  const config = nodeName === undefined ? { peers: 'watch' as const } : { peers: 'none' as const, nodeName }
  const watched = watchedResources(config).find(({ resource }) => resource === 'pods')!
  const parser = new ObjectParser({ labels: [], annotations: [] })
  watch = new KubernetesWatch({ watched, connection, parser, listener: kept, log: log.log, clock: systemClock, times })
  watch.start()
}

async function synced(times = 1): Promise<void> {
  await until(
    () => `${times} syncs: ${JSON.stringify(watch.state)}`,
    () => kept.syncs.pods >= times,
  )
}

describe('watching a resource', () => {
  beforeEach(async () => {
    kept = new KeptObjects()
    log = capturedLog()
    server = await PretendApiServer.start(wellBehaved(() => [pod('a'), pod('b')]))
    connection = server.connection()
  })

  afterEach(async () => {
    await watch?.close()
    connection.close()
    await server.stop()
  })

  describe('a watch of a server that has WatchList', () => {
    it('asks for everything in one request, of this node where it is asked to, and says when it has all', async () => {
      startWatch(TIMES, 'node-1')
      await synced()
      assert.deepEqual(kept.heard, ['+a', '+b', '=2'])
      const [{ path, query }] = server.requests as [(typeof server.requests)[0]]
      assert.equal(path, '/api/v1/pods')
      const { timeoutSeconds, ...asked } = Object.fromEntries(query)
      assert.deepEqual(asked, {
        ...{ watch: '1', allowWatchBookmarks: 'true', fieldSelector: 'spec.nodeName=node-1' },
        ...{ sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' },
      })
      assert.equal(timeoutSeconds, '30')
      assert.equal(watch.state.requests, 1)
      assert.ok(watch.state.bytes > 300 && watch.state.syncedAtMs! > 1.7e12)
    })

    it('hears of changes by UID, and goes on from the last version', async () => {
      let turn = 0
      server.answer = ({ query }, response) => {
        response.writeHead(200)
        if (++turn === 1) {
          response.write(event('ADDED', pod('a')) + bookmark('5', true))
          response.write(event('MODIFIED', pod('a', '6')) + event('ADDED', pod('b', '7')))
          return void setTimeout(() => response.end(event('DELETED', pod('a', '8')) + bookmark('9')), 150)
        }
        assert.equal(query.get('resourceVersion'), '9')
        assert.equal(query.get('sendInitialEvents'), null)
        response.write(event('ADDED', pod('c', '10')))
      }
      startWatch()
      await until('c', () => kept.podNames.includes('c'))
      assert.deepEqual(kept.heard, ['+a', '=1', '+a', '+b', '-uid-a', '+c'])
      assert.equal(kept.syncs.pods, 1)
    })

    it('tells everything anew after 410, as a status and as an event, without those that are gone meanwhile', async () => {
      for (const isEvent of [false, true]) {
        let objects = [pod('a'), pod('b')]
        let isExpired = false
        server.answer = (request, response) => {
          const isFirst = request.query.get('sendInitialEvents') === 'true'
          if (isFirst) {
            wellBehaved(() => objects)(request, response)
            if (!isExpired) setTimeout(() => response.end(), 150)
            isExpired = true
          } else {
            objects = [pod('b'), pod('c')]
            if (!isEvent) response.writeHead(410).end(status(410, 'too old'))
            else response.writeHead(200).end(event('ERROR', { code: 410, message: 'too old resource version' }))
          }
        }
        startWatch()
        await synced(2)
        assert.deepEqual(kept.podNames, ['b', 'c'])
        assert.deepEqual(log.messages, [])
        await watch.close()
        kept = new KeptObjects()
      }
    })

    it('forgets a version that the server has not reached, as after its store was set back', async () => {
      let isSetBack = false
      server.answer = (request, response) => {
        if (request.query.get('sendInitialEvents') === 'true') {
          wellBehaved(() => [pod(isSetBack ? 'old' : 'new')])(request, response)
          if (!isSetBack) setTimeout(() => response.end(), 150)
          isSetBack = true
        } else response.writeHead(504).end(status(504, 'Timeout: Too large resource version: 100, current: 7'))
      }
      startWatch()
      await synced(2)
      assert.deepEqual(kept.podNames, ['old'])
    })

    it('skips a line that is too long, and counts it', async () => {
      const huge = pod('huge', '1', { note: 'x'.repeat(9 * 1024 * 1024) })
      server.answer = wellBehaved(() => [pod('a'), huge, pod('b')])
      startWatch()
      await synced()
      assert.deepEqual(kept.podNames, ['a', 'b'])
      await watch.close()
      assert.equal(watch.state.skipped, 1)
    })

    it('skips an object without UID or name, and counts it', async () => {
      server.answer = wellBehaved(() => [{ metadata: { name: 'x' } }, { metadata: 7 }, pod('a')])
      startWatch()
      await synced()
      assert.deepEqual([kept.podNames, watch.state.skipped, watch.state.objects], [['a'], 2, 3])
    })
  })

  describe('a watch of a server without WatchList', () => {
    const pages: Record<string, string> = {
      '': list([pod('a'), pod('b')], '50', 'two'),
      two: list([pod('c')], '50'),
    }

    function refuse(how: (response: import('node:http').ServerResponse) => void): void {
      server.answer = ({ query }, response) => {
        if (query.get('sendInitialEvents') === 'true') how(response)
        else if (query.get('watch')) response.writeHead(200).write(bookmark('51'))
        else response.writeHead(200).end(pages[query.get('continue') ?? ''])
      }
    }

    it('lists in pages from the server’s cache, and watches from the list’s version', async () => {
      refuse(response => response.writeHead(422).end(status(422, 'sendInitialEvents is forbidden')))
      startWatch()
      await until('the watch', () => server.requests.length === 4)
      assert.deepEqual(kept.heard, ['+a', '+b', '+c', '=3'])
      const [, first, second, watched] = server.requests.map(({ query }) => Object.fromEntries(query))
      assert.deepEqual(first, { limit: '500', resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' })
      assert.deepEqual(second, { limit: '500', continue: 'two' })
      assert.equal(watched!.resourceVersion, '50')
      assert.deepEqual(log.messages, [])
    })

    it('lists when the refusal comes as an event, and when the end of the beginning never comes', async () => {
      const forms: Parameters<typeof refuse>[0][] = [
        response => response.writeHead(200).end(event('ERROR', { code: 400, message: 'no' })),
        response => response.writeHead(200).write(event('ADDED', pod('a'))),
        response => response.writeHead(200).end(event('ADDED', pod('a'))),
      ]
      for (const form of forms) {
        refuse(form)
        kept = new KeptObjects()
        startWatch()
        await synced()
        assert.deepEqual(kept.podNames, ['a', 'b', 'c'])
        await watch.close()
      }
    })

    it('lists everything at once when it was too slow for a page', async () => {
      refuse(response => response.writeHead(422).end())
      const { answer } = server
      server.answer = (request, response) => {
        const { query } = request
        if (query.get('continue')) response.writeHead(410).end(status(410, 'the continue parameter is too old'))
        else if (!query.get('watch') && !query.get('limit')) response.writeHead(200).end(list([pod('d')], '60'))
        else answer(request, response)
      }
      startWatch()
      await synced()
      assert.deepEqual(kept.podNames, ['d'])
      assert.equal(kept.syncs.pods, 1)
    })

    it('reads a list that comes byte by byte', async () => {
      refuse(response => response.writeHead(422).end())
      const { answer } = server
      const text = Buffer.from(list([pod('ä'), pod('b', '1', { note: '}]{["items":[\\"' })], '50'))
      server.answer = (request, response) => {
        if (request.query.get('watch')) return answer(request, response)
        response.writeHead(200)
        const next = (i: number) => {
          if (i === text.length) return void response.end()
          response.write(text.subarray(i, i + 1))
          setImmediate(next, i + 1)
        }
        next(0)
      }
      startWatch()
      await synced()
      assert.deepEqual(kept.podNames, ['b', 'ä'])
    })
  })

  describe('a watch that is refused', () => {
    it('reads its token anew at once, and once', async () => {
      connection.close()
      const asked: boolean[] = []
      const authorization = async (fresh: boolean) => {
        asked.push(fresh)
        return `Bearer ${asked.includes(true) ? 'new' : 'old'}`
      }
      connection = server.connection({ authorization })
      const well = server.answer
      server.answer = (request, response) => {
        if (request.headers.authorization === 'Bearer new') return well(request, response)
        response.writeHead(401).end(status(401, 'Unauthorized'))
      }
      startWatch()
      await synced()
      assert.deepEqual(asked, [false, true])
      assert.equal(server.requests.length, 2)
      assert.deepEqual(log.messages, [])
    })

    it('names the missing rule once, asks seldom, and works when it is there', async () => {
      const well = server.answer
      server.answer = (_, response) => response.writeHead(403).end(status(403, 'pods is forbidden'))
      startWatch()
      await until('several attempts', () => server.requests.length >= 3)
      const [first, second] = server.requests
      assert.ok(second!.atMs - first!.atMs >= 295, `${second!.atMs - first!.atMs} ms`)
      assert.deepEqual(watch.state.degraded?.missingRule, { apiGroup: '', resource: 'pods', verb: 'watch' })
      assert.equal(log.messages.length, 1)
      assert.match(
        log.messages[0]!,
        /pods: forbidden: the ClusterRole lacks apiGroups: \[""\], resources: \["pods"\], verbs: \["watch"\]; until then/,
      )
      server.answer = well
      await synced()
      assert.equal(watch.state.degraded, undefined)
      assert.deepEqual(log.messages.slice(1), ['kubernetes: pods: works again'])
    })

    it('waits as long as it is told to', async () => {
      const well = server.answer
      server.answer = (request, response) => {
        if (server.requests.length > 1) return well(request, response)
        response.writeHead(429, { 'retry-after': '1' }).end(status(429, 'too many requests'))
      }
      startWatch()
      await synced()
      const [first, second] = server.requests
      assert.ok(second!.atMs - first!.atMs >= 990, `${second!.atMs - first!.atMs} ms`)
    })
  })

  describe('a watch of a server that says nothing any more', () => {
    it('is given up when the server does not end it in its time', async () => {
      startWatch({ ...TIMES, watchWithoutPingsMs: [1_000, 1_000] })
      await synced()
      await until('the next watch', () => server.requests.length === 2)
      const [first, second] = server.requests
      const afterMs = second!.atMs - first!.atMs
      assert.ok(afterMs >= 1_290 && afterMs < 2_500, `${afterMs} ms`)
      assert.equal(second!.query.get('resourceVersion'), '100')
      assert.equal(server.openConnections, 1)
    })

    it('is given up when it stalls at its beginning', async () => {
      const well = server.answer
      server.answer = (request, response) => {
        if (server.requests.length > 1) return well(request, response)
        response.writeHead(200).write(event('ADDED', pod('z')))
      }
      startWatch()
      await synced()
      assert.ok(server.requests[1]!.atMs - server.requests[0]!.atMs >= 295)
      assert.deepEqual(kept.podNames, ['a', 'b'])
    })
  })

  describe('a watch that is closed', () => {
    it('hears nothing any more, and leaves no connection', async () => {
      let write = () => {}
      server.answer = (request, response) => {
        wellBehaved(() => [pod('a')])(request, response)
        write = () => void response.write(event('ADDED', pod('late')))
      }
      startWatch()
      await synced()
      write()
      await watch.close()
      connection.close()
      const heard = kept.heard.length
      await until('no connection', () => server.openConnections === 0)
      await sleep(50)
      assert.equal(kept.heard.length, heard)
    })

    it('does not wait for the end of its pause', async () => {
      server.answer = (_, response) => response.writeHead(403).end()
      startWatch({ ...TIMES, forbiddenMs: 600_000 })
      await until('it is degraded', () => watch.state.degraded !== undefined)
      const beginMs = systemClock.monotonicMs()
      await watch.close()
      assert.ok(systemClock.monotonicMs() - beginMs < 500)
    })
  })
})
