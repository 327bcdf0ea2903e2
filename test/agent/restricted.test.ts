// The agent without the right to enter namespaces or to look at processes: it goes by addresses, at the node's end.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import type { InterfaceRecord } from '../../lib/signals/flow-record.ts'
import { attributedFlows } from '../support/attributed.ts'
import { type PassingPods, withPassingPods } from '../support/passing-pods.ts'
import type { ShortLivedPod } from '../support/short-lived-pod.ts'
import { until } from '../support/until.ts'

const LANE = 241
const DROPPED = '-sys_admin,-sys_ptrace'
const THROUGH = { through: ['setpriv', `--bounding-set=${DROPPED}`, `--inh-caps=${DROPPED}`] }
const PORT = 32_000
const PACKETS = 30

describe('the agent without CAP_SYS_ADMIN and CAP_SYS_PTRACE', function () {
  this.timeout(60_000)
  let node: PassingPods

  withPassingPods(made => {
    node = made
  })

  const listing = (name: string, pod: { address: string; uid: string }) =>
    `pods: [{ namespace: test, name: ${name}, uid: ${pod.uid}, addresses: [${pod.address}] }]\n`

  const start = (inventory: string) =>
    node.folder.started({ inventory, receiver: { discovery: 'auto', hook: 'tcx' } }, THROUGH)

  async function running(more: Parameters<typeof ShortLivedPod.create>[1] = {}): Promise<ShortLivedPod> {
    const pod = await node.create({ lane: LANE }, more)
    await pod.begin()
    return pod
  }

  async function settles(pod: ShortLivedPod, name: string): Promise<InterfaceRecord> {
    let its: InterfaceRecord | undefined
    const is = async () => {
      const { interfaces } = await node.folder.status()
      its = interfaces.find(({ device }) => device === pod.hostDevice)
      return its?.state === 'attached' && its.pod === name
    }
    await until(() => `${pod.hostDevice} is ${name}: ${JSON.stringify(its)}`, is, { limitMs: 10_000, everyMs: 20 })
    return its!
  }

  it('attaches to the node’s end of a pair, and knows the pod by its address', async () => {
    const pod = await running()
    const agent = await start(listing('web', pod))
    assert.equal((await settles(pod, 'test/web')).place, 'host')
    await pod.send(PORT, PACKETS)
    await agent.end('SIGTERM')
    const flows = attributedFlows(join(node.folder.path, 'metrics.jsonl')).filter(
      ({ port, packets }) => port === PORT && packets > 0,
    )
    assert.deepEqual(flows, [{ sender: 'web', port: PORT, packets: PACKETS }])
  })

  it('knows a new pod when it is listed, and never by the record of the one that had its address', async () => {
    const first = await running()
    await start(listing('old', first))
    await settles(first, 'test/old')
    await first.end()
    const second = await running({ before: first.removal })
    await settles(second, 'unknown')
    writeFileSync(node.folder.inventoryFile, listing('new', { address: second.address, uid: randomUUID() }))
    await settles(second, 'test/new')
  })
})
