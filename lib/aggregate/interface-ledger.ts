// The node's books: accounts of the attached interfaces, and what the ones that are gone had counted.
import type { ContinuedInterface, Counted } from '../capture/continuity.ts'
import type { FlowColumns, InterfaceColumns } from '../capture/flow-batch.ts'
import type { Attachment, CounterKind } from '../capture/flow-source.ts'
import { addFigures, addTerms, type DeviceFigures, type DirectionFigures, deviceHolds, zeroFigures } from './figures.ts'
import { EXCLUDED, OTHER_END } from './flow-slots.ts'
import type { Identity, InterfaceOwner } from './identity.ts'
import { type Direction, directions, InterfaceAccount } from './interface-account.ts'
import type { UnattachedDevice } from './unattached-device.ts'

export const counterKinds: readonly CounterKind[] = ['skb', 'wire', 'unknown']

/** What is new for one reader, each once. */
export interface Queue<Item> {
  take(): Item[]
}
export type AccountQueue = Queue<InterfaceAccount>

/** Packets and bytes of all flow rows. */
export class DrainedTotals {
  drainedPackets = 0
  drainedBytes = 0
  otherEndPackets = 0
  otherEndBytes = 0
  /** Left out by configuration when they were in the table already. */
  excludedPackets = 0
  excludedBytes = 0
  /** Rows of a flow that never started: it must not happen, but what they count must not vanish. */
  unattributedPackets = 0
  unattributedBytes = 0
  /** Drained by an agent that was killed before anybody had acknowledged it. */
  restartPackets = 0
  restartBytes = 0
}

/** What outlives the process of interfaces that don't. */
export interface LedgerMemo {
  readonly closed: Readonly<Record<Direction, DirectionFigures>>
  readonly closedByKind: Readonly<Record<string, DeviceFigures>>
  readonly kinds: readonly CounterKind[]
  readonly closedWithGaps: number
}

export class InterfaceLedger {
  readonly totals = new DrainedTotals()
  /** For flows whose interface is gone: their last rows may come after its own. */
  readonly late = new InterfaceAccount(0)
  readonly #owner: (interfaceSlot: number) => InterfaceOwner | undefined
  readonly #open = new Map<number, InterfaceAccount>()
  readonly #closed = { transmit: zeroFigures(), receive: zeroFigures() }
  readonly #closedByKind = new Map<string, DeviceFigures>()
  readonly #queues: InterfaceAccount[][] = []
  readonly #unattachedQueues: UnattachedDevice[][] = []
  readonly #kinds = new Set<CounterKind>()
  #closedWithGaps = 0
  #closedUnread = 0
  #earliestAttachMs: number | undefined
  /** Whose the open interfaces are, until one of them is another's. */
  #ends: ReadonlySet<Identity | undefined> | undefined

  constructor(owner: (interfaceSlot: number) => InterfaceOwner | undefined) {
    this.#owner = owner
    for (const kind of counterKinds)
      for (const direction of directions) this.#closedByKind.set(`${kind} ${direction}`, zeroFigures().skbs)
  }

  /** Goes on with what earlier agents left: the interfaces that they had, and what `memo` says of those that were gone. */
  continue(interfaces: readonly ContinuedInterface[], memo: LedgerMemo | undefined, drained: Counted): void {
    this.totals.drainedPackets += drained.packets
    this.totals.drainedBytes += drained.bytes
    for (const { interfaceSlot, fromPod, toPod } of interfaces) {
      const account = this.account(interfaceSlot)
      account.transmit.continue(fromPod)
      account.receive.continue(toPod)
      this.#kinds.add(fromPod.counter).add(toPod.counter)
    }
    if (!memo) return
    for (const direction of directions) addFigures(this.#closed[direction], memo.closed[direction])
    for (const [key, figures] of Object.entries(memo.closedByKind)) addTerms(this.#closedByKind.get(key)!, figures)
    for (const kind of memo.kinds) this.#kinds.add(kind)
    this.#closedWithGaps += memo.closedWithGaps
  }

  /** Of the interfaces that are gone, for `continue`. */
  memo(): LedgerMemo {
    const closed = { transmit: zeroFigures(), receive: zeroFigures() }
    for (const direction of directions) {
      addFigures(closed[direction], this.#closed[direction])
      addFigures(closed[direction], this.late[direction].figures())
    }
    const closedByKind = Object.fromEntries(this.#closedByKind)
    return { closed, closedByKind, kinds: [...this.#kinds], closedWithGaps: this.#closedWithGaps }
  }

  /** To be called with each attachment, when `owner` already knows its slot. */
  attached(attachment: Attachment): void {
    const account = this.account(attachment.interfaceSlot)
    account.announce(attachment, this.#owner(attachment.interfaceSlot))
    this.#ends = undefined
    this.#kinds.add(attachment.transmitCounter).add(attachment.receiveCounter)
    this.#earliestAttachMs = Math.min(this.#earliestAttachMs ?? Number.POSITIVE_INFINITY, attachment.attachedAtMs)
    for (const queue of this.#queues) queue.push(account)
  }

  /** To be called with each device that has counted something before it was attached, once. */
  unattached(device: UnattachedDevice): void {
    for (const queue of this.#unattachedQueues) queue.push(device)
  }

  /** Of devices that come from now on. */
  unattachedQueue(): Queue<UnattachedDevice> {
    const queue: UnattachedDevice[] = []
    this.#unattachedQueues.push(queue)
    return { take: () => queue.splice(0) }
  }

  /** The account of the interface that has this slot now. */
  account(interfaceSlot: number): InterfaceAccount {
    const open = this.#open.get(interfaceSlot)
    if (open) return open
    const account = new InterfaceAccount(interfaceSlot)
    this.#open.set(interfaceSlot, account)
    return account
  }

  /** Reads an interface snapshot; `ended` is told of each slot that may now be given to another interface. */
  apply(columns: InterfaceColumns, readAtMs: number, ended: (interfaceSlot: number) => void): void {
    for (let i = 0; i < columns.length; i++) {
      const interfaceSlot = columns.interfaceSlot[i]!
      const account = this.account(interfaceSlot)
      const devicePresent = columns.devicePresent[i] === 1
      account.transmit.update(columns.fromPod, i, devicePresent)
      account.receive.update(columns.toPod, i, devicePresent)
      if (columns.ended[i] !== 1) continue
      if (!devicePresent) this.#closedUnread++
      this.#close(account, readAtMs)
      ended(interfaceSlot)
    }
  }

  /** Asks again whose the interfaces are; true when an answer is another than before. */
  ownersChanged(): boolean {
    let changed = false
    for (const account of this.#open.values()) {
      const owner = this.#owner(account.interfaceSlot)
      if (owner?.identity === account.owner?.identity) continue
      account.owner = owner
      changed = true
    }
    if (changed) this.#ends = undefined
    return changed
  }

  /** Whether an interface of ours is this end's. */
  observes(identity: Identity): boolean {
    this.#ends ??= new Set([...this.#open.values()].map(({ owner }) => owner?.identity))
    return this.#ends.has(identity)
  }

  /** One row of a flow; `edge`: as in `FlowSlots`; `isCollapsed`: a port was left out. */
  drained(account: InterfaceAccount, edge: number, isCollapsed: boolean, flows: FlowColumns, i: number): void {
    const { transmit, receive } = account
    const { totals } = this
    const packets = flows.fromPodPackets[i]! + flows.toPodPackets[i]!
    const bytes = flows.fromPodBytes[i]! + flows.toPodBytes[i]!
    transmit.drained(isCollapsed, flows.fromPodPackets[i]!, flows.fromPodBytes[i]!)
    receive.drained(isCollapsed, flows.toPodPackets[i]!, flows.toPodBytes[i]!)
    totals.drainedPackets += packets
    totals.drainedBytes += bytes
    if (edge === EXCLUDED) {
      totals.excludedPackets += packets
      totals.excludedBytes += bytes
    }
    if (edge !== OTHER_END) return
    transmit.otherEndPackets += flows.fromPodPackets[i]!
    transmit.otherEndBytes += flows.fromPodBytes[i]!
    receive.otherEndPackets += flows.toPodPackets[i]!
    receive.otherEndBytes += flows.toPodBytes[i]!
    totals.otherEndPackets += packets
    totals.otherEndBytes += bytes
  }

  openAccounts(): Iterable<InterfaceAccount> {
    return this.#open.values()
  }

  /** Starts with the accounts that are open. */
  accountQueue(): AccountQueue {
    let queue = [...this.#open.values()].filter(account => account.attachment !== undefined)
    this.#queues.push(queue)
    const index = this.#queues.length - 1
    return {
      take: () => {
        const taken = queue
        this.#queues[index] = queue = []
        return taken
      },
    }
  }

  /** Sum over all interfaces, also those that are gone. */
  figures(direction: Direction): DirectionFigures {
    const sum = zeroFigures()
    addFigures(sum, this.#closed[direction])
    addFigures(sum, this.late[direction].figures())
    for (const account of this.#open.values()) addFigures(sum, account[direction].figures())
    return sum
  }

  /** Equation (a) summed over the interfaces whose device counts this kind. */
  deviceFigures(kind: CounterKind, direction: Direction): DeviceFigures {
    const sum = zeroFigures().skbs
    addTerms(sum, this.#closedByKind.get(`${kind} ${direction}`)!)
    for (const account of this.#open.values())
      if (account[direction].kind === kind) addTerms(sum, account[direction].deviceFigures())
    return sum
  }

  /** Interface directions that are gone and had something unobserved, overseen or unexplained: sums could cancel out. */
  get closedWithGaps(): number {
    return this.#closedWithGaps
  }

  /** Interfaces whose device was gone before its last reading: their books end with the one before. */
  get closedUnread(): number {
    return this.#closedUnread
  }

  /** Counter kinds that an interface had so far. */
  get kinds(): ReadonlySet<CounterKind> {
    return this.#kinds
  }

  /** Nothing was counted before. */
  get earliestAttachMs(): number | undefined {
    return this.#earliestAttachMs
  }

  #close(account: InterfaceAccount, readAtMs: number): void {
    account.endedAtMs = readAtMs
    this.#ends = undefined
    this.#open.delete(account.interfaceSlot)
    for (const direction of directions) {
      const figures = account[direction].figures()
      addFigures(this.#closed[direction], figures)
      addTerms(this.#closedByKind.get(`${account[direction].kind} ${direction}`)!, figures.skbs)
      if (!deviceHolds(figures.skbs)) this.#closedWithGaps++
    }
  }
}
