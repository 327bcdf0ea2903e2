// Listing and watching one resource, against a server that behaves as we like. What a real one does is in test/end-to-end.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { bookmark, event, list, pod, status, wellBehaved } from '../support/pretend-api-server.ts'
import { until } from '../support/until.ts'
import { TIMES, WatchedPods } from './watched-pods.ts'

describe('watching a resource', () => {
  let pods: WatchedPods

  beforeEach(async () => {
    pods = await WatchedPods.prepare()
  })
  afterEach(() => pods.stop())

  describe('a watch of a server that has WatchList', () => {
    it('asks for everything in one request, of this node where it is asked to, and says when it has all', async () => {
      pods.start(TIMES, 'node-1')
      await pods.synced()
      assert.deepEqual(pods.kept.heard, ['+a', '+b', '=2'])
      const [{ path, query }] = pods.server.requests as [(typeof pods.server.requests)[0]]
      assert.equal(path, '/api/v1/pods')
      const { timeoutSeconds, ...asked } = Object.fromEntries(query)
      assert.deepEqual(asked, {
        ...{ watch: '1', allowWatchBookmarks: 'true', fieldSelector: 'spec.nodeName=node-1' },
        ...{ sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' },
      })
      assert.equal(timeoutSeconds, '30')
      assert.equal(pods.watch.state.requests, 1)
      assert.ok(pods.watch.state.bytes > 300 && pods.watch.state.syncedAtMs! > 1.7e12)
    })

    it('says what it has heard of, and whether that is all by now', async () => {
      let open: ServerResponse | undefined
      pods.server.answer = (_, response) => {
        response.writeHead(200)
        response.write(event('ADDED', pod('a')))
        open = response
      }
      pods.start()
      await until('a', () => pods.kept.podNames.includes('a'))
      assert.deepEqual(pods.watch.versions, { heard: undefined, changed: undefined, event: undefined })
      assert.equal(await pods.watch.isCurrent(), false)
      open!.write(bookmark('5', true))
      await pods.synced()
      assert.equal(await pods.watch.isCurrent(), true)
      assert.deepEqual(pods.watch.versions, { heard: '5', changed: '5', event: undefined })
      open!.write(event('MODIFIED', pod('a', '6')) + bookmark('9'))
      await until('the bookmark', () => pods.watch.versions.heard === '9')
      assert.deepEqual(pods.watch.versions, { heard: '9', changed: '6', event: '6' })
      pods.server.answer = () => {}
      open!.end()
      await until('it is over', async () => !(await pods.watch.isCurrent()))
    })

    it('hears of changes by UID, and goes on from the last version', async () => {
      let turn = 0
      pods.server.answer = ({ query }, response) => {
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
      pods.start()
      await until('c', () => pods.kept.podNames.includes('c'))
      assert.deepEqual(pods.kept.heard, ['+a', '=1', '+a', '+b', '-uid-a', '+c'])
      assert.equal(pods.kept.syncs.pods, 1)
    })

    it('tells everything anew after 410, as a status and as an event, without those that are gone meanwhile', async () => {
      for (const isEvent of [false, true]) {
        let objects = [pod('a'), pod('b')]
        let isExpired = false
        pods.server.answer = (request, response) => {
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
        pods.start()
        await pods.synced(2)
        assert.deepEqual(pods.kept.podNames, ['b', 'c'])
        assert.deepEqual(pods.log.messages, [])
        await pods.watch.close()
      }
    })

    it('forgets a version that the server has not reached, as after its store was set back', async () => {
      let isSetBack = false
      pods.server.answer = (request, response) => {
        if (request.query.get('sendInitialEvents') === 'true') {
          wellBehaved(() => [pod(isSetBack ? 'old' : 'new')])(request, response)
          if (!isSetBack) setTimeout(() => response.end(), 150)
          isSetBack = true
        } else response.writeHead(504).end(status(504, 'Timeout: Too large resource version: 100, current: 7'))
      }
      pods.start()
      await pods.synced(2)
      assert.deepEqual(pods.kept.podNames, ['old'])
    })

    it('takes what is deleted while it tells everything for gone', async () => {
      pods.server.answer = (_, response) => {
        response.writeHead(200)
        response.write(event('ADDED', pod('a')) + event('ADDED', pod('b')) + event('DELETED', pod('a')))
        response.write(bookmark('5', true))
      }
      pods.start()
      await pods.synced()
      assert.deepEqual(pods.kept.heard, ['+a', '+b', '-uid-a', '=1'])
    })

    it('skips a line that is too long, and counts it', async () => {
      const huge = pod('huge', '1', { note: 'x'.repeat(9 * 1024 * 1024) })
      pods.server.answer = wellBehaved(() => [pod('a'), huge, pod('b')])
      pods.start()
      await pods.synced()
      assert.deepEqual(pods.kept.podNames, ['a', 'b'])
      await pods.watch.close()
      assert.equal(pods.watch.state.skipped, 1)
    })

    it('skips an object without UID or name, and counts it', async () => {
      pods.server.answer = wellBehaved(() => [{ metadata: { name: 'x' } }, { metadata: 7 }, pod('a')])
      pods.start()
      await pods.synced()
      assert.deepEqual([pods.kept.podNames, pods.watch.state.skipped, pods.watch.state.objects], [['a'], 2, 3])
    })
  })

  describe('a watch of a server without WatchList', () => {
    const pages: Record<string, string> = {
      '': list([pod('a'), pod('b')], '50', 'two'),
      two: list([pod('c')], '50'),
    }

    function refuse(how: (response: ServerResponse) => void): void {
      pods.server.answer = ({ query }, response) => {
        if (query.get('sendInitialEvents') === 'true') how(response)
        else if (query.get('watch')) response.writeHead(200).write(bookmark('51'))
        else response.writeHead(200).end(pages[query.get('continue') ?? ''])
      }
    }

    it('lists in pages from the server’s cache, and watches from the list’s version', async () => {
      refuse(response => response.writeHead(422).end(status(422, 'sendInitialEvents is forbidden')))
      pods.start()
      await until('the watch', () => pods.server.requests.length === 4)
      assert.deepEqual(pods.kept.heard, ['+a', '+b', '+c', '=3'])
      const [, first, second, watched] = pods.server.requests.map(({ query }) => Object.fromEntries(query))
      assert.deepEqual(first, { limit: '500', resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' })
      assert.deepEqual(second, { limit: '500', continue: 'two' })
      assert.equal(watched!.resourceVersion, '50')
      assert.deepEqual(pods.log.messages, [])
    })

    it('lists when the refusal comes as an event, and when the end of the beginning never comes', async () => {
      const forms: Parameters<typeof refuse>[0][] = [
        response => response.writeHead(200).end(event('ERROR', { code: 400, message: 'no' })),
        response => response.writeHead(200).write(event('ADDED', pod('a'))),
        response => response.writeHead(200).end(event('ADDED', pod('a'))),
      ]
      for (const form of forms) {
        refuse(form)
        pods.start()
        await pods.synced()
        assert.deepEqual(pods.kept.podNames, ['a', 'b', 'c'])
        await pods.watch.close()
      }
    })

    it('lists everything at once when it was too slow for a page', async () => {
      refuse(response => response.writeHead(422).end())
      const { answer } = pods.server
      pods.server.answer = (request, response) => {
        const { query } = request
        if (query.get('continue')) response.writeHead(410).end(status(410, 'the continue parameter is too old'))
        else if (!query.get('watch') && !query.get('limit')) response.writeHead(200).end(list([pod('d')], '60'))
        else answer(request, response)
      }
      pods.start()
      await pods.synced()
      assert.deepEqual(pods.kept.podNames, ['d'])
      assert.equal(pods.kept.syncs.pods, 1)
    })

    it('reads a list that comes byte by byte', async () => {
      refuse(response => response.writeHead(422).end())
      const { answer } = pods.server
      const text = Buffer.from(list([pod('ä'), pod('b', '1', { note: '}]{["items":[\\"' })], '50'))
      pods.server.answer = (request, response) => {
        if (request.query.get('watch')) return answer(request, response)
        response.writeHead(200)
        const next = (i: number) => {
          if (i === text.length) return void response.end()
          response.write(text.subarray(i, i + 1))
          setImmediate(next, i + 1)
        }
        next(0)
      }
      pods.start()
      await pods.synced()
      assert.deepEqual(pods.kept.podNames, ['b', 'ä'])
    })
  })
})
