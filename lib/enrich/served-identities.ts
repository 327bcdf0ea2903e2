// Pods as those who serve a port of their node: one object for each, so that edges can be found by identity.
import type { Identity } from '../aggregate/identity.ts'

export class ServedIdentities {
  readonly #known = new WeakMap<Identity, Map<string, Identity>>()

  /** `served`: the port, as `tcp/9100`; what else is to be said of it comes with `parts`. */
  of(owner: Identity, served: string, parts: Pick<Identity, 'class' | 'place' | 'foundBy'>): Identity {
    const known = this.#known.get(owner)?.get(served)
    if (known?.class === parts.class && known.place === parts.place) return known
    const { workload, pod, name } = owner
    const who = pod ? { pod } : name !== undefined && { name }
    const identity: Identity = { ...(workload && { workload }), ...who, ports: new Set([served]), ...parts }
    const ofOwner = this.#known.get(owner) ?? new Map<string, Identity>()
    this.#known.set(owner, ofOwner.set(served, identity))
    return identity
  }
}
