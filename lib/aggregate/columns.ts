// Columns of one length in one piece of memory: a page of it that nobody ever wrote to takes none.

/**
 * Between two columns, bytes. Lengths are near powers of two, and without it row i of every column would be in the same
 * few lines of the cache.
 */
const APART = 320
const MOST_COLUMNS = 64

export class Columns {
  readonly length: number
  readonly #buffer: ArrayBuffer
  #used = 0

  /** `rowBytes`: of all columns together. Ask for the wide ones first. */
  constructor(length: number, rowBytes: number) {
    this.length = length
    this.#buffer = new ArrayBuffer(length * rowBytes + MOST_COLUMNS * APART)
  }

  float64(): Float64Array {
    return new Float64Array(this.#buffer, this.#take(8), this.length)
  }

  uint32(): Uint32Array {
    return new Uint32Array(this.#buffer, this.#take(4), this.length)
  }

  int32(): Int32Array {
    return new Int32Array(this.#buffer, this.#take(4), this.length)
  }

  uint16(): Uint16Array {
    return new Uint16Array(this.#buffer, this.#take(2), this.length)
  }

  /** `width`: values a row. */
  uint8(width = 1): Uint8Array {
    return new Uint8Array(this.#buffer, this.#take(width), this.length * width)
  }

  #take(rowBytes: number): number {
    const offset = this.#used
    this.#used += rowBytes * this.length + APART
    return offset
  }
}
