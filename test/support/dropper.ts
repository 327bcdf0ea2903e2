// Loses TCP packets on a device, by chance or by their flags, and counts them.
import { type Hook, KernelObject, key32, readMap, writeMap } from './kernel.ts'

const RULE_BYTES = 32
const FLAGS = { F: 1, S: 2, R: 4, P: 8, A: 16 } as const

export interface DropRule {
  /** Of the packets that it is about, as `SA`, among the flags in `of`; absent: all TCP packets. */
  readonly flags?: string
  /** The flags that are looked at; `FSRA` when not given. */
  readonly of?: string
  /** So many of them are lost. */
  readonly first?: number
  /** Of all after these, one in a thousand so often. */
  readonly perMille?: number
  readonly seed?: number
}

export class Dropper {
  readonly #object = new KernelObject('dropper')

  /** Behind a Podweir that observes the same device it must be hooked before it is told what to lose. */
  constructor(hook: Hook, rule: DropRule = {}) {
    try {
      this.set(rule)
      this.#object.hook('drop', hook)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Begins to count anew. */
  set({ flags = '', of = 'FSRA', first = 0, perMille = 0, seed = 1 }: DropRule): void {
    const value = new DataView(new ArrayBuffer(RULE_BYTES))
    const chance = Math.min(0xffffffff, Math.round((perMille / 1000) * 2 ** 32))
    value.setUint32(0, flags === '' ? 0 : bits(of), true)
    value.setUint32(4, bits(flags), true)
    value.setUint32(8, first, true)
    value.setUint32(12, chance, true)
    value.setBigUint64(16, (BigInt(seed) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn, true)
    writeMap(this.#object.maps.rule!, key32(0), new Uint8Array(value.buffer))
  }

  get lost(): number {
    const value = readMap(this.#object.maps.rule!, key32(0))!
    return new DataView(value.buffer, value.byteOffset).getUint32(28, true)
  }

  close(): void {
    this.#object.close()
  }
}

function bits(flags: string): number {
  return [...flags].reduce((sum, flag) => sum | FLAGS[flag as keyof typeof FLAGS], 0)
}
