// One object per slot, in pieces that are made when a slot of theirs is used: an array for all slots would be there at once.

const PIECE = 512

export class SlotObjects<T> {
  readonly #pieces: (T | undefined)[][] = []

  /** Of a slot that has one. */
  of(slot: number): T {
    return this.#pieces[(slot / PIECE) | 0]![slot % PIECE]!
  }

  find(slot: number): T | undefined {
    return this.#pieces[(slot / PIECE) | 0]?.[slot % PIECE]
  }

  set(slot: number, value: T | undefined): void {
    const number = (slot / PIECE) | 0
    while (this.#pieces.length <= number) this.#pieces.push([])
    const piece = this.#pieces[number]!
    if (piece.length === 0) piece.push(...new Array<undefined>(PIECE))
    piece[slot % PIECE] = value
  }
}
