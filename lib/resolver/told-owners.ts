// What a person deployed, of which a pod of this node is a part: a resolver is asked where the pod itself does not prove it.
import { type OwnedPod, type Owners, provenTop, type Top } from '../enrich/owner-chains.ts'

export class ToldOwners implements Owners {
  /** By the UID of the pod. */
  readonly #tops = new Map<string, Top>()
  /** To be called with an answer, and again with another one: a resolver may have to ask first. */
  readonly #listeners = new Map<string, () => void>()

  topOf(pod: OwnedPod & { readonly uid: string }, onAnswer: () => void): Top {
    const proven = provenTop(pod)
    if (proven) return proven
    const told = this.#tops.get(pod.uid)
    if (!told) this.#listeners.set(pod.uid, onAnswer)
    // The chain has a beginning: without an owner the pod proves that it is its own.
    return told ?? pod.owner!
  }

  told(uid: string, top: Top): void {
    const before = this.#tops.get(uid)
    if (before?.kind === top.kind && before.name === top.name) return
    this.#tops.set(uid, top)
    this.#listeners.get(uid)?.()
  }

  forget(uid: string): void {
    this.#tops.delete(uid)
    this.#listeners.delete(uid)
  }
}
