// One watch whose server refuses it, falls silent, or is left.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import { event, pod, status, wellBehaved } from '../support/pretend-api-server.ts'
import { until } from '../support/until.ts'
import { TIMES, WatchedPods } from './watched-pods.ts'

describe('watching a resource', () => {
  let pods: WatchedPods

  beforeEach(async () => {
    pods = await WatchedPods.prepare()
  })
  afterEach(() => pods.stop())

  describe('a watch that is refused', () => {
    it('reads its token anew at once, and once', async () => {
      pods.connection.close()
      const asked: boolean[] = []
      const authorization = async (fresh: boolean) => {
        asked.push(fresh)
        return `Bearer ${asked.includes(true) ? 'new' : 'old'}`
      }
      pods.connection = pods.server.connection({ authorization })
      const well = pods.server.answer
      pods.server.answer = (request, response) => {
        if (request.headers.authorization === 'Bearer new') return well(request, response)
        response.writeHead(401).end(status(401, 'Unauthorized'))
      }
      pods.start()
      await pods.synced()
      assert.deepEqual(asked, [false, true])
      assert.equal(pods.server.requests.length, 2)
      assert.deepEqual(pods.log.messages, [])
    })

    it('names the missing rule once, asks seldom, and works when it is there', async () => {
      const well = pods.server.answer
      pods.server.answer = (_, response) => response.writeHead(403).end(status(403, 'pods is forbidden'))
      pods.start()
      await until('several attempts', () => pods.server.requests.length >= 3)
      const [first, second] = pods.server.requests
      assert.ok(second!.atMs - first!.atMs >= 295, `${second!.atMs - first!.atMs} ms`)
      assert.deepEqual(pods.watch.state.degraded?.missingRule, { apiGroup: '', resource: 'pods', verb: 'watch' })
      assert.equal(pods.log.messages.length, 1)
      assert.match(
        pods.log.messages[0]!,
        /pods: forbidden: the ClusterRole lacks apiGroups: \[""\], resources: \["pods"\], verbs: \["watch"\]; until then/,
      )
      pods.server.answer = well
      await pods.synced()
      assert.equal(pods.watch.state.degraded, undefined)
      assert.deepEqual(pods.log.messages.slice(1), ['kubernetes: pods: works again'])
    })

    it('asks soon again for what was allowed before: a server that starts has not read its roles yet', async () => {
      const well = pods.server.answer
      pods.start({ ...TIMES, forbiddenMs: 600_000 })
      await pods.synced()
      let refusals = 0
      pods.server.answer = (request, response) => {
        if (++refusals > 3) return well(request, response)
        response.writeHead(403).end(status(403, 'pods is forbidden'))
      }
      pods.connection.abandon()
      await until('it is refused', () => pods.watch.state.degraded !== undefined)
      await until('it works again', () => pods.watch.state.degraded === undefined)
      assert.equal(refusals, 4)
    })

    it('asks seldom when that was taken from it', async () => {
      pods.start({ ...TIMES, forbiddenMs: 600_000 })
      await pods.synced()
      let refusals = 0
      pods.server.answer = (_, response) => {
        refusals++
        response.writeHead(403).end(status(403, 'pods is forbidden'))
      }
      pods.connection.abandon()
      await until('several attempts', () => refusals >= 4)
      await sleep(300)
      assert.equal(refusals, 4)
    })

    it('waits as long as it is told to', async () => {
      const well = pods.server.answer
      pods.server.answer = (request, response) => {
        if (pods.server.requests.length > 1) return well(request, response)
        response.writeHead(429, { 'retry-after': '1' }).end(status(429, 'too many requests'))
      }
      pods.start()
      await pods.synced()
      const [first, second] = pods.server.requests
      assert.ok(second!.atMs - first!.atMs >= 990, `${second!.atMs - first!.atMs} ms`)
    })
  })

  describe('a watch that does not last', () => {
    it('is told of when it ends at once again and again', async () => {
      const well = pods.server.answer
      pods.server.answer = (request, response) => {
        if (request.query.get('sendInitialEvents') !== 'true') return void response.writeHead(200).end()
        well(request, response)
        response.end()
      }
      pods.start()
      await until('it is known', () => pods.watch.state.degraded !== undefined)
      assert.equal(pods.watch.state.degraded!.reason, 'the server ended its watch at once')
      assert.equal(pods.log.messages.length, 1)
    })

    it('is begun anew when the reason of an error never comes to its end', async () => {
      const well = pods.server.answer
      let failedAtMs = 0
      pods.server.answer = (request, response) => {
        if (request.query.get('sendInitialEvents') === 'true') {
          well(request, response)
          setTimeout(() => response.end(), 150)
        } else if (failedAtMs === 0) {
          failedAtMs = request.atMs
          response.writeHead(500).write('{"kind":"Sta')
        } else well(request, response)
      }
      pods.start()
      await until('the watch after it', () => pods.server.requests.length === 3)
      const afterMs = pods.server.requests[2]!.atMs - failedAtMs
      assert.ok(afterMs >= 395 && afterMs < 5_000, `${afterMs} ms`)
    })
  })

  describe('a watch of a server that says nothing any more', () => {
    it('is given up when the server does not end it in its time', async () => {
      pods.start({ ...TIMES, watchWithoutPingsMs: [1_000, 1_000] })
      await pods.synced()
      await until('the next watch', () => pods.server.requests.length === 2)
      const [first, second] = pods.server.requests
      const afterMs = second!.atMs - first!.atMs
      assert.ok(afterMs >= 1_290 && afterMs < 2_500, `${afterMs} ms`)
      assert.equal(second!.query.get('resourceVersion'), '100')
      assert.equal(pods.server.openConnections, 1)
    })

    it('is given up when it stalls at its beginning', async () => {
      const well = pods.server.answer
      pods.server.answer = (request, response) => {
        if (pods.server.requests.length > 1) return well(request, response)
        response.writeHead(200).write(event('ADDED', pod('z')))
      }
      pods.start()
      await pods.synced()
      assert.ok(pods.server.requests[1]!.atMs - pods.server.requests[0]!.atMs >= 295)
      assert.deepEqual(pods.kept.podNames, ['a', 'b'])
    })
  })

  describe('a watch that is closed', () => {
    it('hears nothing any more, and leaves no connection', async () => {
      let write = () => {}
      pods.server.answer = (request, response) => {
        wellBehaved(() => [pod('a')])(request, response)
        write = () => void response.write(event('ADDED', pod('late')))
      }
      pods.start()
      await pods.synced()
      write()
      await pods.watch.close()
      pods.connection.close()
      const heard = pods.kept.heard.length
      await until('no connection', () => pods.server.openConnections === 0)
      await sleep(50)
      assert.equal(pods.kept.heard.length, heard)
    })

    it('does not wait for the end of its pause', async () => {
      pods.server.answer = (_, response) => response.writeHead(403).end()
      pods.start({ ...TIMES, forbiddenMs: 600_000 })
      await until('it is degraded', () => pods.watch.state.degraded !== undefined)
      const beginMs = systemClock.monotonicMs()
      await pods.watch.close()
      assert.ok(systemClock.monotonicMs() - beginMs < 500)
    })
  })
})
