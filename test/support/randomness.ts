// Numbers that look random and are the same each time: xorshift32.

export class Randomness {
  #state: number

  constructor(seed: number) {
    // Seeds that are close to each other begin far apart.
    this.#state = (seed * 0x9e3779b1) | 1
  }

  /** A whole number from 0, below `limit`. */
  below(limit: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % limit
  }
}
