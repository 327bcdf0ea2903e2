// Connection tracking as a test writes it: by the flow's slot, what came of a question.
import { parseAddress } from '../../lib/capture/address.ts'
import { type NatSource, Tracked, type Translations } from '../../lib/capture/nat-source.ts'

export class PretendNat implements NatSource {
  /** `address:port` of the backend, or the name of another outcome. Others are untracked. */
  readonly bySlot = new Map<number, string>()
  /** Slots, question by question. */
  readonly asked: number[][] = []
  refuses: Error | undefined

  async lookUp(slots: Uint32Array): Promise<Translations> {
    this.asked.push([...slots])
    if (this.refuses) throw this.refuses
    const translations: Translations = {
      tracked: new Uint8Array(slots.length),
      backendAddress: new Uint8Array(16 * slots.length),
      backendPort: new Uint16Array(slots.length),
    }
    for (const [i, slot] of slots.entries()) answer(translations, i, this.bySlot.get(slot) ?? 'untracked')
    return translations
  }
}

function answer({ tracked, backendAddress, backendPort }: Translations, i: number, said: string): void {
  const outcome = Tracked[said as keyof typeof Tracked]
  tracked[i] = outcome ?? Tracked.translated
  if (outcome !== undefined) return
  const cut = said.lastIndexOf(':')
  backendAddress.set(parseAddress(said.slice(0, cut))!, 16 * i)
  backendPort[i] = Number(said.slice(cut + 1))
}
