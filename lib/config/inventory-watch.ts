// Reads the inventory again when its file changes, however it was changed.
import { Failure } from '../host/failure.ts'
import { FileWatch } from './file-watch.ts'
import type { Inventory } from './inventory.ts'

export interface InventoryWatch {
  close(): void
}

type Load = (file: string) => Promise<Inventory>

const loadHere: Load = async file => (await import('./inventory.ts')).loadInventory(file)

/** `loaded` is the inventory in use: a change between its reading and this call is noticed. A bad file leaves it in use. */
export function watchInventory(
  file: string,
  onChange: (inventory: Inventory) => void,
  onBad: (failure: Failure) => void,
  loaded?: Inventory,
  load: Load = loadHere,
): InventoryWatch {
  let revision = loaded?.revision
  let closed = false
  const read = async () => {
    let inventory: Inventory
    try {
      inventory = await load(file)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (!closed) onBad(error)
      return
    }
    if (closed || inventory.revision === revision) return
    revision = inventory.revision
    onChange(inventory)
  }
  const watch = new FileWatch([file], read, loaded !== undefined)
  return {
    close: () => {
      closed = true
      watch.close()
    },
  }
}
