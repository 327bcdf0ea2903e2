// Pods that come and go ten at a time, on the same addresses, MACs and device names: no packet gets another pod's name.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, before, describe, it } from 'mocha'
import { AgentFolder } from '../agent/agent-folder.ts'
import { attributedFlows, attributedInterfaces } from '../support/attributed.ts'
import { heldBy } from '../support/bpf-objects.ts'
import { hasCgroups } from '../support/cgroup-process.ts'
import { residentMegabytes } from '../support/resident-memory.ts'
import { ShortLivedPod } from '../support/short-lived-pod.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

/** PODWEIR_CHURN_PODS=500 for the long run. */
const PODS = Number(process.env.PODWEIR_CHURN_PODS ?? 100)
const LANES = 10
const STILL_MS = 500
const FIRST_PORT = 20_000
/** What is not told apart by names is by how much it is. */
const packetsOf = (i: number) => 20 + (i % 50)

describe('pods that come and go', function () {
  this.timeout('5m')
  let folder: AgentFolder

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to make network namespaces')
    if (!hasCgroups) skip(this, 'needs cgroup v2')
  })
  afterEach(() => folder?.remove())

  /** What the agent holds, without what it holds for interfaces that are none of this test's. */
  const kept = (pid: number, others: number) => {
    const { maps, programs, links } = heldBy(pid)
    const count = (name: string) => readdirSync(`/proc/${pid}/${name}`).length
    return {
      ...{ maps: maps.length, threads: count('task'), descriptors: count('fd') - 4 * others },
      ...{ programs: programs.length - 2 * others, links: links.length - 2 * others },
    }
  }

  it(`are each known by their own name or by none: ${PODS}, ${LANES} at a time`, async () => {
    folder = new AgentFolder()
    const agent = await folder.started({ receiver: { inventory: undefined } })
    // What is made once and kept, is made by these.
    const first = await lives(0, LANES)
    let atFirst = kept(agent.pid, await othersWhenGone(first))
    const isStill = async () => {
      const before = atFirst
      await sleep(STILL_MS)
      atFirst = kept(agent.pid, await othersWhenGone(first))
      return atFirst.links === 0 && isDeepStrictEqual(atFirst, before)
    }
    await until(() => `at rest: ${JSON.stringify(atFirst)}`, isStill)
    const megabytes = residentMegabytes(agent.pid).own
    const uids = await lives(LANES, PODS)
    let now = {}
    const isAsBefore = async () => {
      now = kept(agent.pid, await othersWhenGone(uids))
      return isDeepStrictEqual(now, atFirst)
    }
    // A connection to the agent's socket, or a garbage collection, may be under way.
    await until(() => `${JSON.stringify(now)} is ${JSON.stringify(atFirst)}`, isAsBefore, { everyMs: 100 })
    const grown = residentMegabytes(agent.pid).own - megabytes
    assert.ok(grown < 40, `${grown} MB more than after the first ${LANES} pods`)
    assert.equal((await folder.status()).ledger.delivery.packets.lost, 0)
    assert.equal((await agent.end('SIGTERM')).code, 0)

    const file = join(folder.path, 'metrics.jsonl')
    const flows = attributedFlows(file)
    const wrong = flows.filter(({ sender, port }) => uids.has(sender) && uids.get(sender) !== port)
    assert.deepEqual(wrong, [])
    let named = 0
    let unknown = 0
    for (const { sender, port, packets } of flows) {
      if (port < FIRST_PORT || port >= FIRST_PORT + LANES + PODS) continue
      if (uids.get(sender) === port || first.get(sender) === port) named += packets
      else unknown += packets
    }
    let sent = 0
    for (let i = 0; i < LANES + PODS; i++) sent += packetsOf(i)
    const isTheirs = (owner: string) => uids.has(owner) || first.has(owner) || /^interface-|\/cni-/.test(owner)
    let unobserved = 0
    for (const [owner, packets] of Object.entries(attributedInterfaces(file, 'unobserved')))
      if (isTheirs(owner)) unobserved += packets
    this.ctx.test!.title += ` (of ${sent} packets ${named} named, ${unknown} unknown, ${unobserved} unobserved)`
    assert.equal(named + unknown + unobserved, sent)
    // A flow keeps what it counted before its pod was known; the interface's own totals wait for the name.
    const interfaces = Object.entries(attributedInterfaces(file)).filter(([owner]) => uids.has(owner))
    assert.ok(interfaces.length > 0, 'no pod was named')
    for (const [uid, packets] of interfaces) assert.ok(packets <= packetsOf(uids.get(uid)! - FIRST_PORT), uid)
  })

  /** Port by UID. */
  async function lives(first: number, count: number): Promise<Map<string, number>> {
    const uids = new Map<string, number>()
    let next = first
    const lane = async (number: number) => {
      while (next < first + count) {
        const i = next++
        const uid = randomUUID()
        uids.set(uid, FIRST_PORT + i)
        const sent = await ShortLivedPod.live({ lane: number, uid }, FIRST_PORT + i, packetsOf(i))
        assert.equal(sent, packetsOf(i))
      }
    }
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i + 1)))
    return uids
  }

  /** Waits until the agent has let go of all of them, and counts the interfaces that are others'. */
  async function othersWhenGone(uids: ReadonlyMap<string, number>): Promise<number> {
    let left: string[] = []
    let others = 0
    const isOver = async () => {
      const attached = (await folder.status()).interfaces.filter(({ state }) => state === 'attached')
      left = attached.map(({ pod }) => pod).filter(pod => uids.has(pod) || pod === 'unknown')
      others = attached.length
      return left.length === 0
    }
    await until(() => `all are let go: ${left.join(', ')}`, isOver, { limitMs: 20_000, everyMs: 100 })
    return others
  }
})
