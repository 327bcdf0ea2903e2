// Asks connection tracking, counts what came of it, and says when it can't be the node's.
import { ADDRESS_BYTES } from '../aggregate/address-order.ts'
import { type AddressKey, addressKey } from '../capture/address.ts'
import { type NatSource, Tracked, type Translations } from '../capture/nat-source.ts'
import type { Log } from '../host/log.ts'
import type { DialledFlows, Endpoint } from './dialled-flows.ts'

export const translationOutcomes = ['gone', 'untracked', 'as_sent', 'translated', 'failed'] as const
export type TranslationCounts = Record<(typeof translationOutcomes)[number], number>

/** Where a flow goes instead; `nowhere`: to where it was sent, or nobody knows; `failed`: nobody answered. */
export type Translation = Endpoint | 'nowhere' | 'failed'

/** So many flows to Services, and none of them is tracked. */
const TELLING = 100

export class TranslationLookup {
  readonly counts: TranslationCounts = { gone: 0, untracked: 0, as_sent: 0, translated: 0, failed: 0 }
  readonly #source: NatSource
  readonly #log: Log
  #said = ''

  constructor(source: NatSource, log: Log) {
    this.#source = source
    this.#log = log
  }

  /** In the order of the flows; nothing when the kernel refuses. */
  async of(flows: DialledFlows): Promise<Translation[]> {
    const translations = flows.length > 0 ? await this.#ask(flows) : undefined
    if (!translations) return []
    const found = flows.endpoints.map((endpoint, i) => {
      const outcome = translations.tracked[i]!
      this.counts[translationOutcomes[outcome] ?? 'failed']++
      if (outcome === Tracked.translated) return backendOf(translations, i, endpoint)
      return outcome === Tracked.failed ? 'failed' : 'nowhere'
    })
    this.#tellIfElsewhere()
    return found
  }

  async #ask({ slots, generations }: DialledFlows): Promise<Translations | undefined> {
    try {
      return await this.#source.lookUp(Uint32Array.from(slots), Uint32Array.from(generations))
    } catch (error) {
      this.counts.failed += slots.length
      this.#say(`module conntrack: ${(error as Error).message}`)
      return undefined
    }
  }

  #tellIfElsewhere(): void {
    const { untracked, as_sent, translated } = this.counts
    if (untracked < TELLING || as_sent + translated > 0) return
    const cause = `none of ${TELLING} flows to Services is in the connection tracking of this network namespace`
    const remedy =
      'run in the node’s own (hostNetwork: true), or set modules.conntrack: off where no kube-proxy translates'
    this.#say(`module conntrack: ${cause}; ${remedy} (podweir doctor: PW-127)`)
  }

  #say(text: string): void {
    if (text !== this.#said) this.#log.warn(text)
    this.#said = text
  }
}

function backendOf({ backendAddress, backendPort }: Translations, i: number, dialled: Endpoint): Endpoint {
  const address = addressKey(backendAddress, i * ADDRESS_BYTES, familyOf(dialled.address))
  return { address, protocol: dialled.protocol, port: backendPort[i]! }
}

function familyOf(address: AddressKey): number {
  return typeof address === 'number' ? 4 : 6
}
