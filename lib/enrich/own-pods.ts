// The pods of this node, by what interfaces are known by.
import type { Identity } from '../aggregate/identity.ts'
import { formatKey } from '../capture/address.ts'
import type { ClusterPod } from '../kubernetes/cluster-objects.ts'
import type { OwnPod } from './pod-names.ts'
import { type PodRecord, severalOf } from './pod-record.ts'

/** The UID by which kubelet calls a static pod; the API server gives its mirror another. */
const STATIC_UID = 'kubernetes.io/config.hash'

interface OwnRecord {
  readonly record: PodRecord
  readonly createdMs: number
}

export class OwnPods {
  /** By `namespace/name`. */
  readonly #byName = new Map<string, OwnRecord>()
  readonly #static = new Map<string, PodRecord>()

  add(record: PodRecord, { namespace, name, owner, annotations, createdMs }: ClusterPod): void {
    this.#byName.set(`${namespace}/${name}`, { record, createdMs })
    const staticUid = owner?.kind === 'Node' ? annotations[STATIC_UID] : undefined
    if (staticUid !== undefined) this.#static.set(staticUid, record)
  }

  remove(record: PodRecord, namespace: string, name: string): void {
    const key = `${namespace}/${name}`
    if (this.#byName.get(key)?.record === record) this.#byName.delete(key)
    for (const [uid, each] of this.#static) if (each === record) this.#static.delete(uid)
  }

  /** By `namespace/name`. */
  named(key: string): Identity | undefined {
    return this.#byName.get(key)?.record.identity
  }

  byStaticUid(uid: string): PodRecord | undefined {
    return this.#static.get(uid)
  }

  /** Those with an address of their own. */
  list(): OwnPod[] {
    return [...this.#byName.values()]
      .filter(({ record }) => record.addresses !== undefined)
      .map(({ record: { identity, uid, addresses }, createdMs }) => {
        const { namespace, name } = identity!.pod!
        return { namespace, name, uid, addresses: severalOf(addresses).map(formatKey), createdMs }
      })
  }
}
