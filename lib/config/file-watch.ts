// Notices when files change, however they are changed: written, renamed over, or behind a link that points elsewhere now.
import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'

/** A writer that truncates and writes gets this long to finish. */
const settleMs = 100
/** For file systems that report nothing, and for links whose target's directory we don't watch. */
const pollMs = 5000

export class FileWatch {
  #files: readonly string[]
  readonly #onChange: () => Promise<void>
  readonly #poll: NodeJS.Timeout
  readonly #watchers = new Map<string, FSWatcher>()
  #settling: NodeJS.Timeout | undefined
  #signature: string | undefined
  #checking: Promise<void> = Promise.resolve()
  #closed = false

  /** `isRead`: what was read of them may be older than this call, so that `onChange` is called once in any case. */
  constructor(files: readonly string[], onChange: () => Promise<void>, isRead: boolean) {
    this.#files = files
    this.#onChange = onChange
    this.#signature = isRead ? undefined : this.#look()
    this.#watchDirectories()
    this.#poll = setInterval(() => this.#checkNext(), pollMs).unref()
    if (isRead) this.#settle()
  }

  /** Other files from now on, which have just been read. */
  follow(files: readonly string[]): void {
    this.#files = files
    this.#signature = this.#look()
    this.#watchDirectories()
  }

  /** Calls `onChange` although nothing may have changed. Resolves when it has had its turn. */
  again(): Promise<void> {
    this.#signature = undefined
    return this.#checkNext()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#poll)
    clearTimeout(this.#settling)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** A file's directory shows a rename over it and Kubernetes' `..data` swap; its target's directory a change behind a link. */
  #watchDirectories(): void {
    if (this.#closed) return
    const wanted = new Set(this.#files.flatMap(directoriesOf))
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
  #checkNext(): Promise<void> {
    this.#checking = this.#checking.then(() => this.#check())
    return this.#checking
  }

  async #check(): Promise<void> {
    const signature = this.#look()
    if (this.#closed || signature === this.#signature) return
    this.#signature = signature
    this.#watchDirectories()
    await this.#onChange()
  }

  #look(): string {
    return this.#files.map(signatureOf).join()
  }
}

function directoriesOf(file: string): string[] {
  try {
    return [dirname(file), dirname(realpathSync(file))]
  } catch {
    // It is gone for now: its directory tells when it comes back.
    return [dirname(file)]
  }
}

/** What differs after any change of the file, or of what its link points to. */
function signatureOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown'
  }
}
