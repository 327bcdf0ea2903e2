// How many series may still begin, as the backend counts them, and for whom.

/** Of the budget so much is kept for namespaces that have little of it: one with many peers must not take the others' series. */
const KEPT_SHARE = 0.25
const LITTLE_SHARE = 0.05
/** A smaller budget is given to who comes first: shares of it would be no edges. */
const SHARED_FROM = 1000

export class SeriesBudget {
  readonly limit: number
  readonly #kept: number
  readonly #little: number
  #left: number
  /** By namespace of the pods that are observed, those that have some. */
  readonly #taken = new Map<string, number>()

  constructor(limit: number) {
    const isShared = limit >= SHARED_FROM
    this.limit = limit
    this.#kept = isShared ? limit * KEPT_SHARE : 0
    this.#little = limit * LITTLE_SHARE
    this.#left = limit
  }

  /** Of the limit, what is taken. */
  get taken(): number {
    return this.limit - this.#left
  }

  /** false, and nothing taken, when there are not that many left for the namespace. */
  take(series: number, namespace = ''): boolean {
    const taken = (this.#taken.get(namespace) ?? 0) + series
    const left = taken > this.#little ? this.#left - this.#kept : this.#left
    if (series > left) return false
    this.#left -= series
    this.#taken.set(namespace, taken)
    return true
  }

  /** Of what was taken for the namespace. */
  giveBack(series: number, namespace = ''): void {
    const taken = this.#taken.get(namespace)! - series
    this.#left += series
    if (taken > 0) this.#taken.set(namespace, taken)
    else this.#taken.delete(namespace)
  }
}
