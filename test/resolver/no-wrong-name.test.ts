// Whatever becomes of resolvers, their words and the way to them: what an agent calls a pod is that pod, or nobody that it knows.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { addressKeyOf } from '../support/address-key.ts'
import { clusterNode, HEARD_MS } from '../support/cluster-objects.ts'
import { Randomness } from '../support/randomness.ts'
import { show } from '../support/show.ts'
import { TruthfulCluster } from '../support/truthful-cluster.ts'
import { LinkedAgent, LinkedResolver, pointOf, TestClock, type TestFlow } from './linked.ts'

const BEGIN_MS = HEARD_MS
const LONG_MS = 240_000
const DRAIN_MS = 1_000
/** From a drain to its naming; from the API server to who listens it takes less. */
const WORDS_MS = 100
const WORDS_TAKE_MS = 55
const ADDRESSES = Array.from({ length: 6 }, (_, i) => `10.2.0.${10 + i}`)

/** A resolver that hears of the cluster, unless it is cut off, and of all of it at once afterwards. */
class Replica {
  readonly resolver: LinkedResolver
  readonly #cluster: TruthfulCluster
  #next = 0
  #cutAtMs: number | undefined

  constructor(cluster: TruthfulCluster, aheadMs: number) {
    this.#cluster = cluster
    this.resolver = new LinkedResolver(new TestClock(aheadMs))
    for (const name of ['n1', 'n2'])
      this.resolver.changed('nodes', clusterNode({ name, podCidrs: [`10.${name.slice(1)}.0.0/24`] }))
  }

  get isCut(): boolean {
    return this.#cutAtMs !== undefined
  }

  /** What it hears of after the last word is late. */
  cut(): void {
    this.#cutAtMs = this.resolver.clock.ms
    this.resolver.lateSinceMs = this.resolver.clock.nowMs()
  }

  /** It is told what has happened; or has to list everything anew, and is never told. */
  mend(nowMs: number, hasToList: boolean): void {
    this.#cutAtMs = undefined
    this.resolver.clock.ms = nowMs
    if (hasToList) this.list(nowMs - WORDS_TAKE_MS)
    this.hearUntil(nowMs)
    this.resolver.lateSinceMs = undefined
    this.resolver.behindMs = 0
  }

  /** One that knows what is there now, and nothing of what was. */
  list(nowMs: number): void {
    this.resolver.clock.ms = nowMs
    this.resolver.sinceMs = this.resolver.clock.nowMs()
    this.#cluster.tellAll(this.resolver, nowMs)
    this.#next = this.#cluster.words.findIndex(({ atMs }) => atMs > nowMs)
    if (this.#next === -1) this.#next = this.#cluster.words.length
  }

  hearUntil(nowMs: number): void {
    const { clock } = this.resolver
    const { words } = this.#cluster
    for (; !this.isCut && this.#next < words.length; this.#next++) {
      const word = words[this.#next]!
      if (word.atMs + WORDS_TAKE_MS > nowMs) break
      clock.ms = Math.max(clock.ms, word.atMs + WORDS_TAKE_MS)
      word.say(this.resolver, 0)
    }
    clock.ms = nowMs
    if (this.#cutAtMs !== undefined) this.resolver.behindMs = nowMs - this.#cutAtMs
  }
}

interface Tally {
  right: number
  unknown: number
  readonly wrong: Set<string>
}

for (const [what, faults] of [
  ['with one resolver', { leaves: 0, cuts: 0, changes: 0 }],
  ['that loses its resolver now and then', { leaves: 6, cuts: 0, changes: 0 }],
  ['that goes from one resolver to the other', { leaves: 0, cuts: 0, changes: 8 }],
  ['of a resolver that loses the API server now and then', { leaves: 0, cuts: 10, changes: 0 }],
  ['to which all of that happens', { leaves: 8, cuts: 12, changes: 8 }],
] as const)
  describe(`an agent ${what}`, () => {
    for (let seed = 1; seed <= 6; seed++)
      it(`calls nobody by another one’s name: ${seed}`, async function () {
        const cluster = new TruthfulCluster({
          ...{ seed, beginMs: BEGIN_MS, endMs: BEGIN_MS + LONG_MS, node: 'n2', addresses: ADDRESSES },
        })
        const tally = await lives(cluster, faults, new Randomness(seed + 100))
        assert.deepEqual([...tally.wrong], [])
        const { right, unknown } = tally
        show(this, `${right} right, ${unknown} unknown`)
        assert.ok(3 * right > unknown, `${right} right, ${unknown} unknown`)
      })
  })

/** Of 100 drains so many have the fault. */
interface Faults {
  readonly leaves: number
  readonly cuts: number
  readonly changes: number
}

async function lives(cluster: TruthfulCluster, faults: Faults, random: Randomness): Promise<Tally> {
  const clock = new TestClock()
  const agent = new LinkedAgent({ clock })
  let replicas = [new Replica(cluster, 30_000), new Replica(cluster, -7_000)]
  for (const each of replicas) each.list(BEGIN_MS)
  let used = replicas[0]!
  let isConnected = true
  await agent.ask(used.resolver)
  const tally: Tally = { right: 0, unknown: 0, wrong: new Set() }
  const live: TestFlow[] = []
  for (let drainMs = BEGIN_MS + DRAIN_MS; drainMs < BEGIN_MS + LONG_MS; drainMs += DRAIN_MS) {
    const happens = (ofHundred: number) => random.below(100) < ofHundred
    for (const each of replicas) {
      if (happens(faults.cuts)) each.isCut ? each.mend(drainMs, random.below(3) === 0) : each.cut()
      each.hearUntil(drainMs)
    }
    if (isConnected && happens(faults.leaves)) {
      agent.leave()
      isConnected = false
    }
    const flows = startedBefore(cluster, drainMs, random)
    clock.ms = drainMs + WORDS_MS
    for (const each of replicas) each.hearUntil(clock.ms)
    if ((!isConnected && random.below(4) === 0) || (isConnected && happens(faults.changes))) {
      // Another one that has been there all the time, or that has just begun.
      if (random.below(3) === 0) {
        replicas = [replicas[1]!, new Replica(cluster, random.below(20_000) - 10_000)]
        replicas[1]!.list(clock.ms - WORDS_TAKE_MS)
        replicas[1]!.hearUntil(clock.ms)
      }
      const next = replicas.find(each => each !== used && !each.isCut)
      if (next) {
        used = next
        await agent.ask(used.resolver)
        isConnected = true
      }
    }
    await agent.hear(...flows)
    live.push(...flows)
    for (const flow of flows) judge(agent, cluster, flow, tally)
    for (const flow of live.slice(-200, -flows.length || undefined)) judge(agent, cluster, flow, tally)
  }
  return tally
}

/** To addresses that somebody really has. */
function startedBefore(cluster: TruthfulCluster, drainMs: number, random: Randomness): TestFlow[] {
  const found = Array.from({ length: 4 }, () => ({
    address: ADDRESSES[random.below(ADDRESSES.length)]!,
    port: 8080,
    atMs: drainMs - 1 - random.below(DRAIN_MS - 1),
  }))
  return found.filter(({ address, atMs }) => cluster.workloadAt(address, atMs) !== undefined)
}

function judge(agent: LinkedAgent, cluster: TruthfulCluster, flow: TestFlow, tally: Tally): void {
  const { class: endClass, workload, name } = agent.names.remote(addressKeyOf(flow.address), flow.atMs, pointOf(flow))
  const truth = cluster.workloadAt(flow.address, flow.atMs)
  if (workload?.name === truth) tally.right++
  else if (!workload && name === 'unknown') tally.unknown++
  else tally.wrong.add(`${endClass} ${workload?.name ?? name} instead of ${truth}: ${JSON.stringify(flow)}`)
}
