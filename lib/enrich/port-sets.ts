// Sets of served ports: pods of a workload share one.
import { Interned } from './interned.ts'

export class PortSets {
  readonly #sets = new Interned<ReadonlySet<string>>()

  /** `ports`: as `tcp/8080`, in any order, perhaps twice. */
  of(ports: Iterable<string>): ReadonlySet<string> {
    const set = new Set(ports)
    return this.#sets.of([...set].sort().join(), () => set)
  }

  get isCrowded(): boolean {
    return this.#sets.isCrowded
  }

  sweep(needed: ReadonlySet<ReadonlySet<string>>): void {
    this.#sets.sweep(needed)
  }
}
