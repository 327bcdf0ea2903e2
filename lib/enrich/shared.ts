// What several may have at once, and mostly one has.

export class Shared<Key, Value extends object> {
  readonly #holders = new Map<Key, Value | Value[]>()

  add(key: Key, value: Value): void {
    const before = this.#holders.get(key)
    if (before === undefined) this.#holders.set(key, value)
    else if (Array.isArray(before)) before.push(value)
    else this.#holders.set(key, [before, value])
  }

  remove(key: Key, value: Value): void {
    const left = this.all(key).filter(each => each !== value)
    if (left.length === 0) this.#holders.delete(key)
    else this.#holders.set(key, left.length === 1 ? left[0]! : left)
  }

  keys(): Iterable<Key> {
    return this.#holders.keys()
  }

  all(key: Key): readonly Value[] {
    const holders = this.#holders.get(key)
    if (holders === undefined) return []
    return Array.isArray(holders) ? holders : [holders]
  }

  /** The only one; of several the only one that `fits`. */
  only(key: Key, fits: (value: Value) => boolean): Value | 'several' | undefined {
    const holders = this.#holders.get(key)
    if (!Array.isArray(holders)) return holders
    const fitting = holders.filter(fits)
    return fitting.length === 1 ? fitting[0]! : 'several'
  }

  /** The only one that `fits`, also where there is no other. */
  some(key: Key, fits: (value: Value) => boolean): Value | 'several' | undefined {
    const fitting = this.all(key).filter(fits)
    return fitting.length > 1 ? 'several' : fitting[0]
  }
}
