// Where queues keep what waits, so that it survives the process: one directory for all, bounded, and used by one process.
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileStorageConfig } from '../config/file-storage.ts'
import type { Signal } from '../config/signal.ts'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'
import { DirectoryLock } from './directory-lock.ts'
import { syncFile } from './spool-file.ts'
import { SpoolFolder, type SpoolRoom } from './spool-folder.ts'

const PRIVATE = 0o700

export class RequestSpool implements SpoolRoom {
  readonly #config: FileStorageConfig
  readonly #log: Log
  readonly #lock: DirectoryLock
  readonly #folders = new Map<string, SpoolFolder>()
  readonly #unsynced = new Set<string>()
  readonly #timer: NodeJS.Timeout | undefined
  #diskBytes = 0
  #sequence = 0

  private constructor(config: FileStorageConfig, log: Log, lock: DirectoryLock) {
    this.#config = config
    this.#log = log
    this.#lock = lock
    if (typeof config.fsync === 'number') {
      this.#timer = setInterval(() => void this.#sync(), config.fsync)
      this.#timer.unref()
    }
  }

  /** A Failure names a directory that can't be used, or who uses it. */
  static async open(config: FileStorageConfig, log: Log): Promise<RequestSpool> {
    const { directory } = config
    try {
      await mkdir(directory, { recursive: true, mode: PRIVATE })
      const spool = new RequestSpool(config, log, await DirectoryLock.take(directory))
      await spool.#find()
      return spool
    } catch (error) {
      if (error instanceof Failure) throw error
      throw new Failure({
        step: 'use directory',
        subject: directory,
        cause: (error as Error).message,
        remedy: 'file_storage needs a directory that the agent may write to',
      })
    }
  }

  /** What was written for it before comes with it. */
  async folder(exporterId: string, signal: Signal): Promise<SpoolFolder> {
    const name = `${encodeURIComponent(exporterId)}.${signal}`
    return this.#folders.get(name) ?? this.#open(name)
  }

  async #find(): Promise<void> {
    const { directory } = this.#config
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue
      const { name } = entry
      const folder = await this.#open(name)
      folder.onGivenWay = ({ items }) =>
        this.#log.warn(`storage ${directory}: ${items} items of ${name}, which nobody sends, gave way to newer ones`)
    }
  }

  async #open(name: string): Promise<SpoolFolder> {
    const path = join(this.#config.directory, name)
    await mkdir(path, { recursive: true, mode: PRIVATE })
    const folder = new SpoolFolder(path, this)
    this.#sequence = Math.max(this.#sequence, await folder.find())
    this.#diskBytes += folder.diskBytes
    this.#folders.set(name, folder)
    return folder
  }

  get syncs(): boolean {
    return this.#config.fsync === 'always'
  }

  nextSequence(): number {
    return ++this.#sequence
  }

  async take(diskBytes: number): Promise<void> {
    const { maxBytes, directory } = this.#config
    while (this.#diskBytes + diskBytes > maxBytes) {
      const folder = this.#withOldest()
      const oldest = folder?.oldest()
      if (!folder || !oldest) throw new Error(`${directory} holds its ${maxBytes} bytes`)
      const removed = folder.remove(oldest)
      folder.onGivenWay(oldest)
      await removed
    }
    this.#diskBytes += diskBytes
  }

  give(diskBytes: number): void {
    this.#diskBytes -= diskBytes
  }

  written(path: string): void {
    if (this.#timer) this.#unsynced.add(path)
  }

  #withOldest(): SpoolFolder | undefined {
    let found: SpoolFolder | undefined
    let least = Number.POSITIVE_INFINITY
    for (const folder of this.#folders.values()) {
      const sequence = folder.oldest()?.sequence ?? Number.POSITIVE_INFINITY
      if (sequence < least) [found, least] = [folder, sequence]
    }
    return found
  }

  /** What was delivered meanwhile is not there any more. */
  async #sync(): Promise<void> {
    const paths = [...this.#unsynced]
    if (paths.length === 0) return
    this.#unsynced.clear()
    for (const path of [...paths, ...[...this.#folders.values()].map(folder => folder.path)])
      await syncFile(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') this.#log.warn(`storage ${path}: can't be brought to the disk: ${error.message}`)
      })
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const folder of this.#folders.values()) await folder.settled()
    await this.#sync()
    await this.#lock.release()
  }
}
