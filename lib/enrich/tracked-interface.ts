// One interface that is to be observed, and how far we got with it.
import type { InterfaceOwner } from '../aggregate/identity.ts'
import type { UnattachedDevice } from '../aggregate/unattached-device.ts'
import type { Attachment, AttachRequest } from '../capture/flow-source.ts'
import type { AttachReason } from './attach-reason.ts'
import type { BackOff } from './back-off.ts'
import type { FoundDevice, WantedInterface } from './interface-plan.ts'

export type AttachState = 'wanted' | 'attached' | 'degraded' | 'failed'

const following: Readonly<Record<AttachState, readonly AttachState[]>> = {
  wanted: ['attached', 'failed'],
  attached: ['degraded', 'wanted'],
  degraded: ['attached', 'wanted'],
  failed: ['attached', 'wanted'],
}

export class AttachProgress {
  #state: AttachState = 'wanted'
  #reason: AttachReason | undefined
  #sinceMs: number
  #isGone = false

  constructor(reason: AttachReason, nowMs: number) {
    this.#reason = reason
    this.#sinceMs = nowMs
  }

  get state(): AttachState {
    return this.#state
  }

  get reason(): AttachReason | undefined {
    return this.#reason
  }

  /** Wall clock: since when both are what they are. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** It is not wanted any more, or not there: the last state, which nobody is shown. */
  get isGone(): boolean {
    return this.#isGone
  }

  end(): void {
    this.#isGone = true
  }

  /** true when this is news. A step that can't be is not taken. */
  become(state: AttachState, reason: AttachReason | undefined, nowMs: number): boolean {
    if (this.#isGone || (state === this.#state && reason === this.#reason)) return false
    if (state !== this.#state && !following[this.#state].includes(state)) return false
    this.#state = state
    this.#reason = reason
    this.#sinceMs = nowMs
    return true
  }
}

/** What an attach led to, whoever made it and when. */
export interface MadeAttachment {
  readonly attachment: Attachment
  readonly request: AttachRequest
  /** Of the device that is attached, in the request's namespace: its name may change. */
  readonly index: number
}

export class TrackedInterface {
  readonly key: string
  readonly backOff: BackOff
  readonly progress: AttachProgress
  wanted: WantedInterface
  /** Absent: there is no such device yet. */
  found: FoundDevice | undefined
  /** Somebody was told that it isn't there yet, and is to be told when it is. */
  isAwaited = false
  /** Its device came when it was wanted already: nothing that it has counted is from before. */
  isNew = false
  owner: InterfaceOwner
  /** From the request on, until it fails: what its device counts meanwhile may have been seen by us. */
  isAttaching = false
  made: MadeAttachment | undefined
  /** Monotonic: when its device was last read because it can't be attached. */
  readAtMs = Number.NEGATIVE_INFINITY
  /** What its device counts while it is not attached. */
  unattached: UnattachedDevice | undefined

  constructor(key: string, parts: { wanted: WantedInterface; found?: FoundDevice; backOff: BackOff; nowMs: number }) {
    const { wanted, found, backOff, nowMs } = parts
    this.key = key
    this.wanted = wanted
    this.found = found
    this.owner = { identity: wanted.identity, device: found?.link.name ?? wanted.device ?? '' }
    this.backOff = backOff
    this.progress = new AttachProgress(found ? 'queued' : 'absent', nowMs)
  }

  get subject(): string {
    return this.wanted.subject
  }

  /** Its name now; series keep the one that `owner` has. */
  get device(): string {
    return this.found?.link.name ?? this.owner.device
  }

  get state(): AttachState {
    return this.progress.state
  }

  get reason(): AttachReason | undefined {
    return this.progress.reason
  }

  get sinceMs(): number {
    return this.progress.sinceMs
  }

  get attachment(): Attachment | undefined {
    return this.made?.attachment
  }

  /** An edit of the inventory moves and renames what stays attached, and another process may come to name its namespace. */
  follow(wanted: WantedInterface, found: FoundDevice): void {
    this.wanted = wanted
    this.found = found
    if (this.owner.identity !== wanted.identity) this.owner = { identity: wanted.identity, device: this.owner.device }
  }
}
