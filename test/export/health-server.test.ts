import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { type HealthServer, startHealthServer } from '../../lib/export/health-server.ts'
import { Failure } from '../../lib/host/failure.ts'
import { capturedLog } from '../support/captured-log.ts'

describe('the health check', () => {
  let server: HealthServer
  let reasons: string[]

  const start = (port = 0) =>
    startHealthServer({ host: '127.0.0.1', port, notReady: () => reasons, log: capturedLog().log })
  beforeEach(async () => {
    reasons = []
    server = await start()
  })
  afterEach(() => server.close())

  async function ask(path: string, method = 'GET'): Promise<[number, string]> {
    const response = await fetch(`http://${server.endpoint}${path}`, { method })
    return [response.status, await response.text()]
  }

  it('says whether the agent is ready, and why not', async () => {
    assert.deepEqual(await ask('/readyz'), [200, 'ok\n'])
    reasons = ['first', 'second']
    assert.deepEqual(await ask('/readyz'), [503, 'first\nsecond\n'])
    assert.deepEqual(await ask('/livez?verbose'), [200, 'ok\n'])
  })

  it('says when the start is over, ready or not', async () => {
    assert.deepEqual(await ask('/startupz'), [503, 'starting\n'])
    reasons = ['not yet']
    server.started()
    assert.deepEqual(await ask('/startupz'), [200, 'ok\n'])
    assert.equal((await ask('/readyz'))[0], 503)
  })

  it('refuses other paths and methods', async () => {
    assert.equal((await ask('/v1/status'))[0], 404)
    assert.equal((await ask('/readyz', 'POST'))[0], 405)
  })

  it('names the endpoint and what to do when another program has it', async () => {
    const port = Number(server.endpoint.split(':')[1])
    await assert.rejects(start(port), (error: unknown) => {
      assert.ok(error instanceof Failure)
      assert.equal(error.subject, `127.0.0.1:${port}`)
      assert.match(error.message, /another program listens there; set extensions.health_check.endpoint/)
      return true
    })
  })
})
