// What a new pod sends before it is observed, and one that can't be observed at all: to the packet, the sender's count being the truth.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { attributedFlows, attributedInterfaces } from '../support/attributed.ts'
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

describe('what a new pod sends unobserved', function () {
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

  async function unobservedOf({ uid }: ShortLivedPod): Promise<number> {
    return attributedInterfaces(join(folder.path, 'metrics.jsonl'), 'unobserved')[uid] ?? 0
  }

  for (const attach of ['pod', 'host'] as const)
    it(`is counted when the agent comes too late for the first packets: at the ${attach}’s end`, async () => {
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
      const seen = attributedFlows(join(folder.path, 'metrics.jsonl')).filter(
        each => each.port === PORT && each.packets > 0,
      )
      assert.deepEqual(seen, [{ sender: pod.uid, port: PORT, packets: SEEN }])
      assert.equal(await unobservedOf(pod), MISSED)
    })

  it('is counted as long as there is a device that can’t be attached to, up to a last reading that never came', async () => {
    const agent = await folder.started({ receiver: { inventory: undefined, attach: 'pod', hook: 'clsact' } })
    pod = await ShortLivedPod.create({ lane: LANE })
    await tc(pod.netns, 'qdisc', 'add', 'dev', 'eth0', 'ingress')
    await pod.begin()
    await until('it is refused', async () => (await its())?.state === 'failed')
    assert.equal(await pod.send(PORT, MISSED), MISSED)
    await until('its device is read', async () => (await its())?.unobservedSkbs === MISSED)
    assert.equal((await folder.status()).endedUnread, 0)
    await pod.remove()
    await until('it is gone', async () => (await its()) === undefined)
    assert.equal((await folder.status()).endedUnread, 1)
    await agent.end('SIGTERM')
    assert.equal(await unobservedOf(pod), MISSED)
  })
})
