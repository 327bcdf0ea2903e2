// Reads the inventory again when its file changes, however it was changed.
import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { Failure } from '../host/failure.ts'
import type { Inventory } from './inventory.ts'

export interface InventoryWatch {
  close(): void
}

/** A writer that truncates and writes gets this long to finish. */
const settleMs = 100
/** For file systems that report nothing, and for links whose target's directory we don't watch. */
const pollMs = 5000

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
  return new Watch(file, onChange, onBad, loaded, load)
}

class Watch implements InventoryWatch {
  readonly #file: string
  readonly #onChange: (inventory: Inventory) => void
  readonly #onBad: (failure: Failure) => void
  readonly #poll: NodeJS.Timeout
  readonly #watchers = new Map<string, FSWatcher>()
  #settling: NodeJS.Timeout | undefined
  #signature: string | undefined
  #revision: string | undefined
  readonly #load: Load
  #checking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(
    file: string,
    onChange: (inventory: Inventory) => void,
    onBad: (failure: Failure) => void,
    loaded: Inventory | undefined,
    load: Load,
  ) {
    this.#load = load
    this.#file = file
    this.#onChange = onChange
    this.#onBad = onBad
    this.#revision = loaded?.revision
    this.#signature = loaded ? undefined : this.#look()
    this.#watchDirectories()
    this.#poll = setInterval(() => this.#checkNext(), pollMs).unref()
    if (loaded) this.#settle()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#poll)
    clearTimeout(this.#settling)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** The file's directory shows a rename over it and Kubernetes' `..data` swap; the target's directory a change behind a link. */
  #watchDirectories(): void {
    const wanted = new Set([dirname(this.#file)])
    try {
      wanted.add(dirname(realpathSync(this.#file)))
    } catch {
      // It is gone for now: its directory tells when it comes back.
    }
    for (const [directory, watcher] of this.#watchers) {
      if (wanted.has(directory)) continue
      watcher.close()
      this.#watchers.delete(directory)
    }
    for (const directory of wanted) if (!this.#watchers.has(directory)) this.#watchDirectory(directory)
  }

  #watchDirectory(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#settle())
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(directory)
      })
      this.#watchers.set(directory, watcher)
    } catch {
      // No directory, or no inotify watches left: polling remains.
    }
  }

  #settle(): void {
    clearTimeout(this.#settling)
    this.#settling = setTimeout(() => this.#checkNext(), settleMs).unref()
  }

  /** One after the other: a slow reading must not overtake a later one. */
  #checkNext(): void {
    this.#checking = this.#checking.then(() => this.#check())
  }

  async #check(): Promise<void> {
    const signature = this.#look()
    if (signature === this.#signature) return
    this.#signature = signature
    this.#watchDirectories()
    let inventory: Inventory
    try {
      inventory = await this.#load(this.#file)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (!this.#closed) this.#onBad(error)
      return
    }
    if (this.#closed) return
    if (inventory.revision === this.#revision) return
    this.#revision = inventory.revision
    this.#onChange(inventory)
  }

  /** What differs after any change of the file, or of what its link points to. */
  #look(): string {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(this.#file, { bigint: true })
      return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'unknown'
    }
  }
}
