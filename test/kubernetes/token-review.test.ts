// Whose tokens are, against a server that we can make say anything.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import type { ClusterConnection } from '../../lib/kubernetes/cluster-connection.ts'
import { TokenReviews } from '../../lib/kubernetes/token-review.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { PretendApiServer, status } from '../support/pretend-api-server.ts'

const AUDIENCE = 'podweir-resolver'
const USER = 'system:serviceaccount:podweir-system:podweir'

describe('reviewing tokens', () => {
  let server: PretendApiServer
  let connection: ClusterConnection
  let reviews: TokenReviews
  let log: CapturedLog
  let answer: [code: number, body: unknown]
  let nowMs = 0
  const asked: string[] = []

  const review = (more: object) => [201, { status: { authenticated: true, audiences: [AUDIENCE], ...more } }] as const

  beforeEach(async () => {
    answer = [...review({ user: { username: USER } })]
    asked.length = 0
    server = await PretendApiServer.start(async (_, response, request) => {
      let text = ''
      for await (const chunk of request!.setEncoding('utf8')) text += chunk
      asked.push(text)
      const [code, body] = answer
      response.writeHead(code).end(typeof body === 'string' ? body : JSON.stringify(body))
    })
    connection = server.connection()
    log = capturedLog()
    nowMs = 5_000
    const clock = { nowMs: systemClock.nowMs, monotonicMs: () => nowMs }
    reviews = new TokenReviews({ connection, audiences: [AUDIENCE], log: log.log, clock })
  })

  afterEach(async () => {
    reviews.close()
    connection.close()
    await server.stop()
  })

  it('asks the API server whose it is, for the audience, and believes it for two minutes', async () => {
    assert.deepEqual(await Promise.all([1, 2].map(() => reviews.userOf('t'))), [USER, USER])
    assert.deepEqual(JSON.parse(asked[0]!).spec, { token: 't', audiences: [AUDIENCE] })
    assert.equal(server.requests[0]!.path, '/apis/authentication.k8s.io/v1/tokenreviews')
    nowMs += 119_000
    await reviews.userOf('t')
    assert.equal(asked.length, 1)
    nowMs += 2_000
    answer = [...review({ authenticated: false })]
    assert.equal(await reviews.userOf('t'), undefined)
    // Soon it may be somebody's.
    nowMs += 9_000
    await reviews.userOf('t')
    assert.equal(asked.length, 2)
    nowMs += 2_000
    await reviews.userOf('t')
    assert.equal(asked.length, 3)
  })

  for (const [what, body] of [
    ['is not authenticated', { status: { authenticated: false, user: { username: USER }, audiences: [AUDIENCE] } }],
    ['is for another audience', { status: { authenticated: true, user: { username: USER }, audiences: ['other'] } }],
    ['is of a server that knows no audiences', { status: { authenticated: true, user: { username: USER } } }],
    ['has no user', { status: { authenticated: true, audiences: [AUDIENCE] } }],
    ['has a review that is none', { status: [] }],
    ['has a review that is nothing', null],
  ] as const)
    it(`says nobody of one that ${what}`, async () => {
      answer = [201, body]
      assert.equal(await reviews.userOf('t'), undefined)
    })

  it('asks nobody of what is no token', async () => {
    assert.equal(await reviews.userOf(''), undefined)
    assert.equal(await reviews.userOf('x'.repeat(20_000)), undefined)
    assert.equal(asked.length, 0)
  })

  it('does not make up its mind while the API server fails, and asks again', async () => {
    for (const failing of [
      [500, status(500, 'no')],
      [201, 'nonsense'],
    ] as const) {
      answer = [...failing]
      await assert.rejects(reviews.userOf('t'))
    }
    answer = [...review({ user: { username: USER } })]
    assert.equal(await reviews.userOf('t'), USER)
  })

  it('names the right that is missing, once until it is there', async () => {
    answer = [403, status(403, 'forbidden')]
    for (const token of ['a', 'b']) await assert.rejects(reviews.userOf(token), { status: 403 })
    const rule = 'apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"]'
    assert.equal(log.messages.filter(each => each.includes(`lacks ${rule}`)).length, 1)
  })

  it('does not let who guesses tokens make the API server work', async () => {
    answer = [...review({ authenticated: false })]
    const guesses = Array.from({ length: 300 }, (_, i) => reviews.userOf(`guess-${i}`).catch(error => error.status))
    const found = await Promise.all(guesses)
    assert.equal(asked.length, 100)
    assert.equal(found.filter(each => each === 429).length, 200)
    nowMs += 1_000
    assert.equal(await reviews.userOf('one more'), undefined)
  })
})
