// What a new pod sends before it is observed, before it is named, and while it can't be observed at all: to the packet.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import type { InterfaceRecord } from '../../lib/signals/flow-record.ts'
import { type Attributed, attributedFlows, attributedInterfaces } from '../support/attributed.ts'
import { hasCgroups } from '../support/cgroup-process.ts'
import { ShortLivedPod } from '../support/short-lived-pod.ts'
import { skip } from '../support/skip.ts'
import { tc } from '../support/traffic-control.ts'
import { until } from '../support/until.ts'
import { AgentFolder } from './agent-folder.ts'

const LANE = 241
const PORT = 32_000
const MISSED = 23
const SEEN = 31

describe('what a new pod sends', function () {
  this.timeout(40_000)
  let folder: AgentFolder
  let pod: ShortLivedPod | undefined

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to make network namespaces')
    if (!hasCgroups) skip(this, 'needs cgroup v2')
  })
  beforeEach(() => {
    folder = new AgentFolder()
  })
  afterEach(async () => {
    await pod?.remove()
    pod = undefined
    await folder.remove()
  })

  const its = async () => (await folder.status()).interfaces.find(({ pod: name }) => name === pod?.uid)

  const isNobodys = ({ pod: name, state }: InterfaceRecord) => name === 'unknown' && state === 'attached'

  const exported = () => join(folder.path, 'metrics.jsonl')

  function toldOf(dialled: number): Attributed[] {
    if (!existsSync(exported())) return []
    return attributedFlows(exported()).filter(({ port, packets }) => port === dialled && packets > 0)
  }

  function unobservedOf({ uid }: ShortLivedPod): number {
    return attributedInterfaces(exported(), 'unobserved')[uid] ?? 0
  }

  for (const attach of ['pod', 'host'] as const)
    it(`is counted as unobserved when the agent comes too late for the first packets: at the ${attach}’s end`, async () => {
      const agent = await folder.started({ receiver: { inventory: undefined, attach } })
      agent.signal('SIGSTOP')
      pod = await ShortLivedPod.create({ lane: LANE })
      await pod.begin()
      assert.equal(await pod.send(PORT, MISSED), MISSED)
      agent.signal('SIGCONT')
      await until('it is attached', async () => (await its())?.state === 'attached')
      assert.equal((await its())!.unobservedSkbs, MISSED)
      assert.equal(await pod.send(PORT, SEEN), SEEN)
      await agent.end('SIGTERM')
      assert.deepEqual(toldOf(PORT), [{ sender: pod.uid, port: PORT, packets: SEEN }])
      assert.equal(unobservedOf(pod), MISSED)
    })

  it('has the pod’s name when that is found in time, also what came before it', async () => {
    const agent = await folder.started({ receiver: { inventory: undefined } })
    pod = await ShortLivedPod.create({ lane: LANE })
    await until('it is attached', async () => (await folder.status()).interfaces.some(isNobodys))
    assert.equal(await pod.send(PORT, SEEN), SEEN)
    // Long enough for several drains and exports.
    await sleep(500)
    await pod.begin()
    await until('it is named', async () => (await its())?.state === 'attached')
    assert.equal(await pod.send(PORT, SEEN), SEEN)
    await agent.end('SIGTERM')
    assert.deepEqual(toldOf(PORT), [{ sender: pod.uid, port: PORT, packets: 2 * SEEN }])
  })

  it('has no name for good when nobody comes in time', async () => {
    const agent = await folder.started({ receiver: { inventory: undefined } })
    pod = await ShortLivedPod.create({ lane: LANE })
    await until('it is attached', async () => (await folder.status()).interfaces.some(isNobodys))
    assert.equal(await pod.send(PORT, SEEN), SEEN)
    await until('it is told without a name', async () => toldOf(PORT).length > 0)
    await agent.end('SIGTERM')
    assert.deepEqual(toldOf(PORT), [{ sender: 'unknown', port: PORT, packets: SEEN }])
  })

  it('is counted as unobserved as long as there is a device that can’t be attached to, up to a last reading that never came', async () => {
    const agent = await folder.started({ receiver: { inventory: undefined, attach: 'pod', hook: 'clsact' } })
    agent.signal('SIGSTOP')
    pod = await ShortLivedPod.create({ lane: LANE })
    await tc(pod.netns, 'qdisc', 'add', 'dev', 'eth0', 'ingress')
    agent.signal('SIGCONT')
    await pod.begin()
    await until('it is refused', async () => (await its())?.state === 'failed')
    assert.equal(await pod.send(PORT, MISSED), MISSED)
    await until('its device is read', async () => (await its())?.unobservedSkbs === MISSED)
    assert.equal((await folder.status()).endedUnread, 0)
    await pod.remove()
    await until('it is gone', async () => (await its()) === undefined)
    assert.equal((await folder.status()).endedUnread, 1)
    await agent.end('SIGTERM')
    assert.equal(unobservedOf(pod), MISSED)
  })
})
