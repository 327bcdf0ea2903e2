// What the processor `attributes` does: keys as a receiver wants them, made once for each set and used again as the set is.
import type { Attributes } from '@opentelemetry/api'
import type { AttributesConfig } from '../config/processors.ts'
import { attributeProfiles } from './attribute-profiles.ts'
import { AttributeSet } from './attribute-set.ts'

export class AttributeNaming {
  readonly #steps: readonly AttributesConfig[]
  readonly #made = new WeakMap<AttributeSet, AttributeSet>()

  /** `steps`: one after the other. */
  constructor(steps: readonly AttributesConfig[]) {
    this.#steps = steps
  }

  /** The same object for the same set. */
  of(set: AttributeSet): AttributeSet {
    const known = this.#made.get(set)
    if (known) return known
    const made = this.once(set)
    this.#made.set(set, made)
    return made
  }

  /** Of a set that is used once. */
  once(set: AttributeSet): AttributeSet {
    const attributes: Attributes = {}
    const doubles = new Set<string>()
    for (const [key, value] of Object.entries(set.attributes)) {
      const name = nameOf(key, this.#steps)
      if (name === undefined) continue
      attributes[name] = value
      if (set.doubles.has(key)) doubles.add(name)
    }
    return new AttributeSet(attributes, doubles)
  }
}

/** undefined: it is left out. */
export function nameOf(key: string, steps: readonly AttributesConfig[]): string | undefined {
  let name = key
  for (const { profile, rename, drop } of steps) {
    if (drop.includes(name)) return undefined
    name = own(rename, name) ?? own(attributeProfiles[profile], name) ?? name
  }
  return name
}

function own(names: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(names, key) ? names[key] : undefined
}
