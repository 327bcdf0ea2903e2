// Everything about a pod but its UID is used again by the next one within milliseconds; the name must not be.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import { ipBatch } from '../../lib/demo/iproute.ts'
import { attributedFlows, attributedInterfaces } from '../support/attributed.ts'
import { type PassingPods, withPassingPods } from '../support/passing-pods.ts'
import type { ShortLivedPod } from '../support/short-lived-pod.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const LANE = 240
const OLD_PORT = 31_000
const NEW_PORT = 31_001
const PACKETS = 40

describe('what a later pod uses again', function () {
  this.timeout(60_000)
  let node: PassingPods

  withPassingPods(made => {
    node = made
  })

  async function attachedAs(name: string): Promise<void> {
    let now: string[] = []
    const is = async () => {
      const { interfaces } = await node.folder.status()
      now = interfaces.filter(({ state }) => state === 'attached').map(({ pod }) => pod)
      return now.includes(name)
    }
    await until(() => `${name} is among ${now.join(', ')}`, is, { limitMs: 10_000, everyMs: 20 })
  }

  /** Stops the agent; packets by who sent them and the port that the test's pod used. */
  async function told(agent: { end(signal: NodeJS.Signals): Promise<unknown> }) {
    await agent.end('SIGTERM')
    const file = join(node.folder.path, 'metrics.jsonl')
    const flows = attributedFlows(file).filter(
      ({ port, packets }) => [OLD_PORT, NEW_PORT].includes(port) && packets > 0,
    )
    return { flows, interfaces: attributedInterfaces(file) }
  }

  /** The old pod sends, is gone, and the new one has sent before anybody has looked. */
  async function replace(first: ShortLivedPod, next: { uid?: string; netns?: string }): Promise<ShortLivedPod> {
    await first.send(OLD_PORT, PACKETS)
    await first.end()
    const second = await node.create({ lane: LANE, ...next }, { before: first.removal })
    await second.send(NEW_PORT, PACKETS)
    await second.begin()
    return second
  }

  function assertOwn(flows: ReturnType<typeof attributedFlows>, first: ShortLivedPod, second: ShortLivedPod): void {
    assert.deepEqual(
      flows.filter(({ sender, port }) =>
        sender === first.uid ? port !== OLD_PORT : sender === second.uid && port !== NEW_PORT,
      ),
      [],
    )
    const old = flows.filter(({ sender }) => sender === first.uid)
    assert.deepEqual(old, [{ sender: first.uid, port: OLD_PORT, packets: PACKETS }])
  }

  for (const { what, next } of [
    { what: 'address, MAC and index, in a namespace of another name', next: {} },
    { what: 'address, MAC, index and the name of the namespace', next: { netns: `cni-${randomUUID()}` } },
  ])
    it(`carries no name: ${what}`, async () => {
      const agent = await node.folder.started({ receiver: { inventory: undefined } })
      const first = await node.create({ lane: LANE, ...next })
      await first.begin()
      await attachedAs(first.uid)
      const second = await replace(first, next)
      await attachedAs(second.uid)
      await second.send(NEW_PORT, PACKETS)
      const { flows } = await told(agent)
      assertOwn(flows, first, second)
      assert.ok(flows.some(({ sender, port }) => sender === second.uid && port === NEW_PORT))
    })

  it('carries no UID when it is the pod’s name', async () => {
    const uids = [randomUUID(), randomUUID()] as const
    const inventory = (uid: string) => `pods: [{ namespace: test, name: web-0, uid: ${uid} }]\n`
    const agent = await node.folder.started({ inventory: inventory(uids[0]), receiver: { discovery: 'auto' } })
    const first = await node.create({ lane: LANE, uid: uids[0] })
    await first.begin()
    await attachedAs('test/web-0')
    const second = await replace(first, { uid: uids[1] })
    await attachedAs(second.uid)
    writeFileSync(node.folder.inventoryFile, inventory(uids[1]))
    await attachedAs('test/web-0')
    const { interfaces } = await told(agent)
    assert.equal(interfaces[first.uid], PACKETS)
    assert.ok((interfaces[second.uid] ?? 0) <= PACKETS)
  })

  it('carries no name when it is the number of a process', async () => {
    const agent = await node.folder.started({ receiver: { inventory: undefined } })
    const first = await node.create({ lane: LANE })
    await first.begin()
    await attachedAs(first.uid)
    const number = first.process!
    await first.send(OLD_PORT, PACKETS)
    await first.end()
    const second = await node.create({ lane: LANE }, { before: first.removal })
    let same = false
    for (let i = 0; i < 50 && !same; i++) {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(number - 1))
      await second.begin()
      same = second.process === number
      if (!same) await second.end()
    }
    if (!same) skip(this.ctx, 'another process took the number')
    await attachedAs(second.uid)
    await second.send(NEW_PORT, PACKETS)
    assertOwn((await told(agent)).flows, first, second)
  })

  it('is the agent’s own knowledge alone: a pod that was there before has its name at once', async () => {
    const pod = await node.create({ lane: LANE })
    await pod.begin()
    const agent = await node.folder.started({ receiver: { inventory: undefined } })
    await attachedAs(pod.uid)
    await pod.send(NEW_PORT, PACKETS)
    await ipBatch(pod.removal)
    const { flows } = await told(agent)
    assert.deepEqual(flows, [{ sender: pod.uid, port: NEW_PORT, packets: PACKETS }])
  })
})
