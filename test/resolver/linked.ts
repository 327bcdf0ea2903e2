// A resolver and agents that ask it, in one process and without a network: every line goes through both parsers.
import type { Identity, RemotePoint } from '../../lib/aggregate/identity.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { ClusterNames } from '../../lib/enrich/cluster-names.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import type { OwnerLookup } from '../../lib/enrich/owner-chains.ts'
import type { PodScope } from '../../lib/enrich/pod-scope.ts'
import type { Clock } from '../../lib/host/clock.ts'
import type { ClusterListener, ClusterObjects, Resource } from '../../lib/kubernetes/cluster-objects.ts'
import { AgentSession } from '../../lib/resolver/agent-session.ts'
import { parseAsking } from '../../lib/resolver/asking-parser.ts'
import { type MarkMessage, PROTOCOL, type Versions } from '../../lib/resolver/messages.ts'
import { PeerFacts } from '../../lib/resolver/peer-facts.ts'
import { ResolverSession } from '../../lib/resolver/resolver-session.ts'
import { Subscriptions } from '../../lib/resolver/subscriptions.ts'
import { ToldCluster } from '../../lib/resolver/told-cluster.ts'
import { addressKeyOf } from '../support/address-key.ts'
import { HEARD_MS } from '../support/cluster-objects.ts'
import { flowBatch } from '../support/flow-batch.ts'

export class TestClock implements Clock {
  ms = HEARD_MS
  readonly aheadMs: number

  /** Of another machine. */
  constructor(aheadMs = 0) {
    this.aheadMs = aheadMs
  }

  nowMs(): number {
    return this.ms + this.aheadMs
  }

  monotonicMs(): number {
    return this.ms
  }
}

export interface LinkedResolverOptions {
  readonly labels?: readonly string[]
  readonly ownerOf?: OwnerLookup
}

/** What a resolver is, but for its server. */
export class LinkedResolver implements ClusterListener {
  readonly facts: PeerFacts
  readonly subscriptions: Subscriptions
  readonly sessions = new Set<AgentSession>()
  readonly clock: TestClock
  /** `null`: it never knew all. */
  behindMs: number | null = 0
  heard: Versions = {}
  /** Since when it has heard of everything, by its clock; where words come late, since when they do. */
  sinceMs = 0
  lateSinceMs: number | undefined

  constructor(clock: TestClock, options: LinkedResolverOptions = {}) {
    this.clock = clock
    this.facts = new PeerFacts({
      ...options,
      onKey: key => this.subscriptions.note(key),
      isAsked: () => this.subscriptions.count > 0,
    })
    this.subscriptions = new Subscriptions(key => this.facts.answer(key))
    this.facts.nodes.onChange = () => {
      const changes = this.facts.nodes.takeChanges()
      for (const session of this.sessions) session.nodesChanged(changes)
    }
  }

  changed<R extends Resource>(resource: R, object: ClusterObjects[R]): void {
    this.facts.changed(resource, object, this.clock.nowMs(), this.lateSinceMs)
  }

  deleted(resource: Resource, uid: string): void {
    this.facts.deleted(resource, uid, this.clock.nowMs(), this.lateSinceMs)
  }

  synced(resource: Resource, uids: ReadonlySet<string>): void {
    this.facts.synced(resource, uids, this.clock.nowMs(), this.lateSinceMs)
  }

  freshness(): Omit<MarkMessage, 'mark'> {
    const { heard, behindMs: behind, sinceMs: since } = this
    return { now: this.clock.nowMs(), behind, since, heard, changed: heard }
  }
}

export interface LinkedAgentOptions {
  readonly nodeName?: string
  readonly scope?: PodScope
  readonly inventory?: string
  readonly clock?: TestClock
}

/** An agent's names, and its conversation with one resolver after the other. */
export class LinkedAgent {
  readonly names: ClusterNames
  readonly told: ToldCluster
  readonly clock: TestClock
  /** Lines of both sides, newest last. */
  readonly lines: string[] = []
  #session: ResolverSession | undefined
  #end: () => void = () => {}

  constructor({ nodeName = 'n1', scope, inventory, clock = new TestClock() }: LinkedAgentOptions = {}) {
    this.clock = clock
    let told: ToldCluster | undefined
    const listed = inventory === undefined ? undefined : parseInventory(inventory, 'i.yaml')
    this.names = new ClusterNames({
      inventory: new InventoryNames(listed, ['192.168.1.1', '10.1.0.1'], scope),
      view: onChange => {
        told = new ToldCluster({ nodeName, ...(scope && { scope }), onChange, clock, wordsTakeMs: 0 })
        return told
      },
    })
    this.told = told!
    this.told.mark = async () => this.#session?.mark(1_000)
  }

  /** Resolves when the resolver has answered everything that was asked before. */
  async ask(resolver: LinkedResolver): Promise<void> {
    this.leave()
    const { facts, subscriptions, clock } = resolver
    let isOver = false
    const session = new ResolverSession({
      ...{ told: this.told, questions: this.told.questions, clock: this.clock },
      heardBy: () => Number.POSITIVE_INFINITY,
      send: text => {
        this.lines.push(`> ${text.trimEnd()}`)
        if (!isOver) there.receive(parseAsking(text)!)
      },
      onWelcome: () => {},
      onAnswers: () => {},
      onMarked: () => {},
    })
    const there = new AgentSession({
      ...{ subscriptions, nodes: facts.nodes, freshness: async () => resolver.freshness() },
      send: text => {
        this.lines.push(
          ...text
            .trimEnd()
            .split('\n')
            .map(each => `< ${each}`),
        )
        if (!isOver) for (const each of text.trimEnd().split('\n')) session.receive(each)
        return true
      },
      end: reason => {
        throw new Error(reason)
      },
    })
    void clock
    this.#session = session
    this.#end = () => {
      isOver = true
      session.close()
      there.close()
      resolver.sessions.delete(there)
      this.told.interrupted()
    }
    resolver.sessions.add(there)
    const { nodes, nodePorts } = this.told.tags
    const hello = { protocol: PROTOCOL, node: '', labels: [], after: {}, nodes, nodePorts }
    there.welcome({ protocol: PROTOCOL, resolver: 'test' }, hello)
    // Its clock is asked for first, then everything else.
    for (let i = 0; i < 20 && session.owesSinceMs !== undefined; i++) await turn()
    await session.mark(1_000)
  }

  /** The conversation ends without a word. */
  leave(): void {
    this.#end()
    this.#session = undefined
    this.#end = () => {}
  }

  /** As a drain does it. */
  async hear(...flows: readonly TestFlow[]): Promise<void> {
    const started = flows.map(({ address, port, protocol }, slot) => ({
      ...{ slot, remote: address, remotePort: port, protocol: protocol ?? 6, startMs: 0 },
    }))
    await this.names.hear(flowBatch({ started }).started)
  }
}

export interface TestFlow {
  readonly address: string
  readonly port: number
  readonly protocol?: number
  readonly atMs: number
}

export function pointOf({ port, protocol = 6 }: TestFlow): RemotePoint {
  return { protocol, port, interfaceSlot: 1 }
}

/** Everything that an identity says. */
export function textOf(identity: Identity): string {
  const { ports, ...rest } = identity
  return JSON.stringify({ ...rest, ports: [...ports].sort() }, (_key, value) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}

export function nameOf(names: ClusterNames, flow: TestFlow): string {
  return textOf(names.remote(addressKeyOf(flow.address), flow.atMs, pointOf(flow)))
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
