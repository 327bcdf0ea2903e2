// How the agent ends: in order and in time, at once when it is told twice, and never without taking its programs off.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { freePort } from '../support/collector.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import type { PodweirProcess } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'
import { hookQdiscs, ownFilters } from '../support/traffic-control.ts'
import { AgentFolder, inventoryOf, podIn } from './agent-folder.ts'

/** A mistake of ours, made when the signal comes. */
const MISTAKE = `process.on('SIGUSR2', () => { throw new Error('made by the test') })`

let folder: AgentFolder
let namespaces: Namespaces
let a: TestNamespace

const settings = () => ({ inventory: inventoryOf(podIn('a', a)), receiver: { hook: 'clsact' } })

async function timed<T>(work: Promise<T>): Promise<{ result: T; tookMs: number }> {
  const beganMs = performance.now()
  const result = await work
  return { result, tookMs: performance.now() - beganMs }
}

describe('the agent ends', function () {
  this.timeout(30_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    ;({ a } = await namespaces.createPair())
  })
  beforeEach(() => {
    folder = new AgentFolder()
  })
  afterEach(async () => {
    await folder?.remove()
    assert.deepEqual(await hookQdiscs('eth0', a.name), [])
  })
  after(() => namespaces?.remove())

  it('with 0 by SIGTERM, its socket gone', async () => {
    const agent = await folder.started(settings())
    assert.equal((await ownFilters('eth0', a.name)).length, 2)
    const { code, stderr } = await agent.end('SIGTERM')
    assert.equal(code, 0, stderr)
    await assert.rejects(folder.status(), /ENOENT/)
  })

  describe('when the Collector takes connections and says nothing,', () => {
    const silent = createServer()

    /** Each request waits for its answer as long as by default. */
    async function started(): Promise<PodweirProcess> {
      const receiver = { hook: 'clsact', collection_interval: '10s' }
      const { port } = silent.address() as { port: number }
      return folder.started({ ...settings(), receiver, otlp: `http://127.0.0.1:${port}` })
    }

    before(done => void silent.listen(0, '127.0.0.1', () => done()))
    after(() => silent.close())

    it('within 10 s', async () => {
      const agent = await started()
      const { result, tookMs } = await timed(agent.end('SIGTERM'))
      assert.equal(result.code, 0, result.stderr)
      assert.ok(tookMs < 10_000, `${tookMs} ms`)
    })

    it('at once when it is told twice', async () => {
      const agent = await started()
      agent.signal('SIGTERM')
      await agent.logged(/last drain/)
      const { result, tookMs } = await timed(agent.end('SIGINT'))
      assert.equal(result.code, 1)
      assert.match(agent.messages(/again/).join(), /SIGINT again: ending at once/)
      assert.ok(tookMs < 1_000, `${tookMs} ms`)
    })
  })

  it('within 10 s when no Collector is there', async () => {
    const agent = await folder.started({ ...settings(), otlp: `http://127.0.0.1:${await freePort()}` })
    await agent.logged(/refused the connection/)
    const { result, tookMs } = await timed(agent.end('SIGTERM'))
    assert.equal(result.code, 0, result.stderr)
    assert.ok(tookMs < 10_000, `${tookMs} ms`)
  })

  it('with 1 by a mistake of ours, and says where it is', async () => {
    const mistake = folder.write('mistake.mjs', MISTAKE)
    const agent = await folder.started(settings(), { through: ['env', `NODE_OPTIONS=--import=${mistake}`] })
    const { code } = await agent.end('SIGUSR2')
    assert.equal(code, 1)
    assert.match(agent.messages(/mistake/).join(), /a mistake of ours: Error: made by the test\n +at /)
  })

  for (const [moment, signal] of [
    [/^podweir 0/, 'SIGTERM'],
    [/^loaded /, 'SIGHUP'],
    [/^answering /, 'SIGINT'],
  ] as const)
    it(`in order when ${signal} comes at the start, after ${moment}`, async () => {
      const agent = folder.start(settings())
      await agent.logged(moment)
      const { code, stderr } = await agent.end(signal)
      assert.equal(code, 0, stderr)
    })
})
