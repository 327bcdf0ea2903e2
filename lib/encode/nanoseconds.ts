// A time as 64 bits of nanoseconds, in two halves: as one number it would lose its last digits.

const TWO_16 = 2 ** 16
const TWO_32 = 2 ** 32

/** Remembers the last one: most points of a request have the same times. */
export class Nanoseconds {
  low = 0
  high = 0
  #ms = 0

  /** `ms`: since 1970, with fractions. */
  set(ms: number): this {
    if (ms === this.#ms) return this
    this.#ms = ms
    const seconds = Math.floor(ms / 1000)
    const rest = Math.floor((ms - seconds * 1000) * 1e6)
    const upper = Math.floor(seconds / TWO_16) * 1e9
    const lower = (seconds % TWO_16) * 1e9 + rest
    const low = (upper % TWO_16) * TWO_16 + lower
    this.low = low % TWO_32
    this.high = Math.floor(upper / TWO_16) + Math.floor(low / TWO_32)
    return this
  }
}
