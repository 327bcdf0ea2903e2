// A cluster whose addresses go from pod to pod, and who really had each one when: names can be compared with it.
import type { ClusterListener, ClusterPod } from '../../lib/kubernetes/cluster-objects.ts'
import { clusterPod, ofDeployment } from './cluster-objects.ts'
import { Randomness } from './randomness.ts'

/** From the word that a pod is to go to its end: nobody gives its address to another before those who listen have heard. */
const LEAST_GRACE_MS = 60

/** Wall clock. By the API server: created, address reported, to go, gone. */
interface Life {
  readonly pod: ClusterPod
  readonly createdMs: number
  readonly reportedMs: number
  readonly leavesMs: number
  readonly goneMs: number
  /** When it really had its address. */
  readonly fromMs: number
  readonly untilMs: number
}

export interface Word {
  readonly atMs: number
  readonly say: (listener: ClusterListener, heardMs: number) => void
}

export interface TruthfulClusterOptions {
  readonly seed: number
  readonly beginMs: number
  readonly endMs: number
  readonly node: string
  readonly addresses: readonly string[]
}

export class TruthfulCluster {
  readonly words: readonly Word[]
  readonly #lives: readonly Life[]

  constructor(options: TruthfulClusterOptions) {
    const random = new Randomness(options.seed)
    this.#lives = options.addresses.flatMap(address => livesOf(address, options, random))
    this.words = this.#lives.flatMap(wordsOf).sort((a, b) => a.atMs - b.atMs)
  }

  /** The workload of the pod that really had it; undefined: nobody had it. */
  workloadAt(address: string, atMs: number): string | undefined {
    const life = this.#lives.find(
      each => each.pod.addresses[0] === address && atMs >= each.fromMs && atMs < each.untilMs,
    )
    return life && life.pod.owner!.name.replace(/-5d4$/, '')
  }

  /** What a list has. */
  tellAll(listener: ClusterListener, nowMs: number): void {
    const present = this.#lives.filter(each => each.createdMs <= nowMs && nowMs < each.goneMs)
    for (const life of present) listener.changed('pods', podAt(life, nowMs), nowMs)
    listener.synced('pods', new Set(present.map(({ pod }) => pod.uid)), nowMs)
  }
}

function livesOf(address: string, { beginMs, endMs, node }: TruthfulClusterOptions, random: Randomness): Life[] {
  const lives: Life[] = []
  for (let fromMs = beginMs + random.below(3_000); fromMs < endMs; ) {
    // Some live for a moment, some for long; what follows takes the address at once, or later.
    const livesMs = random.below(3) === 0 ? 500 + random.below(3_000) : 5_000 + random.below(60_000)
    const leavesMs = fromMs + 200 + livesMs
    const untilMs = leavesMs + LEAST_GRACE_MS + random.below(4_000)
    const number = `${address}-${lives.length}`
    const waitedMs = random.below(5_000)
    const createdMs = Math.floor((fromMs - waitedMs) / 1000) * 1000
    const pod = clusterPod({
      ...{ name: `p-${number}`, node, addresses: [address], createdMs },
      ...ofDeployment(`w${lives.length % 7}-${address}`),
    })
    lives.push({
      ...{ pod, createdMs, reportedMs: fromMs + random.below(40), leavesMs },
      ...{ goneMs: untilMs + random.below(2_000), fromMs, untilMs },
    })
    fromMs = untilMs + (random.below(2) === 0 ? random.below(300) : random.below(20_000))
  }
  return lives
}

function podAt({ pod, reportedMs, leavesMs }: Life, atMs: number): ClusterPod {
  const reported = atMs >= reportedMs ? pod : { ...pod, addresses: [], isReady: false }
  return atMs >= leavesMs ? { ...reported, isTerminating: true, isReady: false } : reported
}

function wordsOf(life: Life): Word[] {
  const { pod, createdMs, reportedMs, leavesMs, goneMs } = life
  return [
    ...[createdMs, reportedMs, leavesMs].map(atMs => ({
      atMs,
      say: (listener: ClusterListener, heardMs: number) => listener.changed('pods', podAt(life, atMs), heardMs),
    })),
    { atMs: goneMs, say: (listener, heardMs) => listener.deleted('pods', pod.uid, heardMs) },
  ]
}
