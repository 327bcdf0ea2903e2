// What was made of numbered things, each as long as its number belongs to the same thing.

export class MadeByNumber<Thing extends object, Made> {
  readonly #make: (thing: Thing) => Made
  readonly #things: (Thing | undefined)[] = []
  readonly #made: (Made | undefined)[] = []

  constructor(make: (thing: Thing) => Made) {
    this.#make = make
  }

  of(number: number, thing: Thing): Made {
    if (this.#things[number] !== thing) {
      this.#things[number] = thing
      this.#made[number] = this.#make(thing)
    }
    return this.#made[number]!
  }
}
