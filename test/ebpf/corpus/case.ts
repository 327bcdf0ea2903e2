// A packet of the corpus, and how its parts are written down.
import type { Envelope } from '../../support/packet.ts'
import { type Circumstances, type Expected, expectedOf, type PacketClass } from '../packet-model.ts'

export interface Case extends Circumstances {
  readonly name: string
  /** From the Ethernet header on. */
  readonly bytes: Uint8Array
  /** As its protocols' RFCs want it, as far as lengths go. */
  readonly valid: boolean
  readonly expected: Expected
}

/** A case as it is written down: the class by hand, so that the model is judged too. */
export interface Written extends Circumstances {
  readonly name: string
  readonly bytes: Uint8Array
  readonly class: PacketClass
  /** Absent: what is in a flow is valid, and nothing else is. */
  readonly valid?: boolean
  /** One of a series that differs in one field: its neighbours are the series. */
  readonly inSeries?: boolean
}

export type Options = Partial<Omit<Written, 'name' | 'bytes' | 'class'>>

/** Every case has addresses of its own, so that a wrong flow is told from a right one. */
export class Addresses {
  #last = 0

  v4(): Envelope {
    const low = this.#step()
    return { from: `10.64.${low}`, to: `198.18.${low}` }
  }

  v6(): Envelope {
    this.#step()
    const low = this.#last.toString(16)
    return { from: `fd64::7:${low}`, to: `2001:db8::9:${low}` }
  }

  #step(): string {
    this.#last++
    return `${this.#last >> 8}.${this.#last & 255}`
  }
}

/** Cases of one chapter, written one after the other. */
export class Chapter {
  readonly cases: Written[] = []
  readonly #title: string
  readonly #addresses: Addresses

  constructor(title: string, addresses: Addresses) {
    this.#title = title
    this.#addresses = addresses
  }

  add(packetClass: PacketClass, name: string, bytes: Uint8Array, options: Options = {}): void {
    this.cases.push({ class: packetClass, name: `${this.#title}: ${name}`, bytes, ...options })
  }

  v4(packetClass: PacketClass, name: string, build: (envelope: Envelope) => Uint8Array, options?: Options): void {
    this.add(packetClass, `IPv4 ${name}`, build(this.#addresses.v4()), options)
  }

  v6(packetClass: PacketClass, name: string, build: (envelope: Envelope) => Uint8Array, options?: Options): void {
    this.add(packetClass, `IPv6 ${name}`, build(this.#addresses.v6()), options)
  }

  both(packetClass: PacketClass, name: string, build: (envelope: Envelope) => Uint8Array, options?: Options): void {
    this.v4(packetClass, name, build, options)
    this.v6(packetClass, name, build, options)
  }
}

export function caseOf({ class: packetClass, valid, inSeries: _, ...rest }: Written): Case {
  const isValid = valid ?? (packetClass === 'flow' || packetClass === 'fragment')
  return { ...rest, valid: isValid, expected: expectedOf(rest.bytes, rest) }
}
