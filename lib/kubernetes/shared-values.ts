// One copy of what thousands of objects have in common: namespaces, nodes, owners, lists of ports.
import type { Owner } from './cluster-objects.ts'

/** Of each kind. Past it sharing begins anew; what was handed out stays right. */
const LIMIT = 16_384

export class SharedValues {
  readonly #texts = new Map<string, string>()
  readonly #lists = new Map<string, readonly string[]>()
  readonly #owners = new Map<string, Owner>()

  text(text: string): string {
    return shared(this.#texts, text, text)
  }

  list(list: readonly string[]): readonly string[] {
    return shared(this.#lists, list.join('\n'), list)
  }

  owner(owner: Owner): Owner {
    const { apiVersion, kind, name, uid } = owner
    return shared(this.#owners, `${uid}\n${apiVersion}\n${kind}\n${name}`, owner)
  }
}

function shared<T>(known: Map<string, T>, key: string, value: T): T {
  const earlier = known.get(key)
  if (earlier !== undefined) return earlier
  if (known.size >= LIMIT) known.clear()
  known.set(key, value)
  return value
}
