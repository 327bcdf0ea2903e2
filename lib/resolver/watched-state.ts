// How the objects come in of which a resolver tells: whether it can answer, and what it can't answer.
import type { ClusterWatch } from '../kubernetes/cluster-watch.ts'
import type { WatchState } from '../kubernetes/watch-health.ts'
import type { Reasons, Versions } from './messages.ts'

export class WatchedState {
  readonly #watch: Pick<ClusterWatch, 'state' | 'of'>

  constructor(watch: Pick<ClusterWatch, 'state' | 'of'>) {
    this.#watch = watch
  }

  /** Why nobody can be answered yet; undefined: everybody can, as well as it goes. */
  get notReady(): string | undefined {
    const missing = this.#watch.state().find(({ syncedAtMs, degraded }) => syncedAtMs === undefined && !degraded)
    return missing && `${missing.resource} are not known yet`
  }

  /** What nothing is known of. */
  get lacks(): Reasons {
    return reasonsOf(this.#watch.state().filter(({ syncedAtMs }) => syncedAtMs === undefined))
  }

  /** What may be otherwise by now than it is known. */
  get old(): Reasons {
    return reasonsOf(this.#watch.state().filter(({ syncedAtMs }) => syncedAtMs !== undefined))
  }

  get versions(): { readonly heard: Versions; readonly changed: Versions } {
    const heard: Record<string, string> = {}
    const changed: Record<string, string> = {}
    for (const { resource } of this.#watch.state()) {
      const versions = this.#watch.of(resource)!.versions
      if (versions.heard !== undefined) heard[resource] = versions.heard
      if (versions.changed !== undefined) changed[resource] = versions.changed
    }
    return { heard, changed }
  }
}

function reasonsOf(states: readonly WatchState[]): Reasons {
  const degraded = states.filter(each => each.degraded)
  return Object.fromEntries(degraded.map(each => [each.resource, each.degraded!.reason]))
}
