// How many series may still begin, as the backend counts them.

export class SeriesBudget {
  #left: number

  constructor(limit: number) {
    this.#left = limit
  }

  /** false, and nothing taken, when there are not that many left. */
  take(series: number): boolean {
    if (series > this.#left) return false
    this.#left -= series
    return true
  }
}
