// What is there after Podweir is what was there before: namespaces, links, qdiscs, filters, programs, pins, processes.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { differencesSince, snapshotHost } from '../support/host-snapshot.ts'
import { Namespaces } from '../support/namespaces.ts'
import { PodweirProcess } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'
import { AgentFolder, inventoryOf, podIn } from './agent-folder.ts'

const DEMO_FOLDER = '/run/podweir/demo'
/** A session of its own: its processes get the terminal's Ctrl-C, as a group, and ours do not. */
const GROUP = { through: ['setsid'] }

describe('nothing is left', function () {
  this.timeout(40_000)
  let machine: string[] = []
  let running: PodweirProcess | undefined

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to run the demo')
    await new PodweirProcess(['demo', '--clean']).end()
  })
  beforeEach(async () => {
    machine = await snapshotHost()
  })
  afterEach(async () => {
    await running?.end('SIGKILL')
    running = undefined
  })

  async function assertNothingLeft(): Promise<void> {
    assert.deepEqual(await differencesSince(machine), [])
    assert.equal(existsSync(DEMO_FOLDER), false)
  }

  /** The demo runs when it has written its first request. */
  async function exported(): Promise<void> {
    for (let i = 0; i < 200 && !existsSync(join(DEMO_FOLDER, 'otlp.jsonl')); i++) await sleep(100)
    assert.ok(existsSync(join(DEMO_FOLDER, 'otlp.jsonl')), 'the demo has exported nothing in 20 s')
  }

  for (const hook of ['tcx', 'clsact'] as const)
    it(`of an agent that was started and stopped, by ${hook}`, async () => {
      const namespaces = new Namespaces()
      const folder = new AgentFolder()
      try {
        const pods = await namespaces.createPods(2)
        machine = await snapshotHost()
        const inventory = inventoryOf(...pods.map(({ namespace }, i) => podIn(`pod-${i}`, namespace)))
        const agent = await folder.started({ inventory, receiver: { hook } })
        assert.notDeepEqual(await snapshotHost(), machine)
        assert.equal((await agent.end('SIGTERM')).code, 0)
        await assertNothingLeft()
      } finally {
        await folder.remove()
        await namespaces.remove()
      }
    })

  for (const afterMs of [50, 150, 400, 900, 1_500])
    it(`of a demo that Ctrl-C ends after ${afterMs} ms`, async () => {
      running = new PodweirProcess(['demo', '--headless'], GROUP)
      await sleep(afterMs)
      process.kill(-running.pid, 'SIGINT')
      const { code, signal, stderr } = await running.end()
      // Before it listens the signal itself is its end; after the set-up there is a receipt.
      assert.ok(signal === 'SIGINT' || code === 0 || code === 1, `${code} ${signal} ${stderr}`)
      assert.doesNotMatch(stderr, /mistake of ours|^ +at /m)
      await assertNothingLeft()
    })

  it('of a demo that Ctrl-C ends twice', async () => {
    running = new PodweirProcess(['demo', '--headless'], GROUP)
    await exported()
    process.kill(-running.pid, 'SIGINT')
    await sleep(100)
    process.kill(-running.pid, 'SIGINT')
    assert.equal((await running.end()).code, 1)
    await assertNothingLeft()
  })

  it('but the export file of a demo that was killed, which the next one and --clean remove', async () => {
    running = new PodweirProcess(['demo', '--headless'])
    await exported()
    await running.end('SIGKILL')
    assert.deepEqual(await differencesSince(machine), [])
    const { code } = await new PodweirProcess(['demo', '--clean']).end()
    assert.equal(code, 0)
    await assertNothingLeft()
  })
})
