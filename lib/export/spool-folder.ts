// The requests of one queue on disk, each a file.
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bodyBytes, fileName, parseName, readSpoolFile, UNFINISHED, writeSpoolFile } from './spool-file.ts'

export interface SpooledRequest {
  readonly sequence: number
  readonly items: number
  /** Of its body. */
  readonly bytes: number
  /** What it takes of the disk. */
  readonly diskBytes: number
}

/** What all folders of a storage share. */
export interface SpoolRoom {
  /** Throws where there is none, whoever gives way. */
  take(diskBytes: number): Promise<void>
  give(diskBytes: number): void
  nextSequence(): number
  /** Whether a file is to be on the disk before it counts as written. */
  readonly syncs: boolean
  written(path: string): void
}

const BLOCK_BYTES = 4096
const HEADER_BYTES = 64

export class SpoolFolder {
  readonly path: string
  readonly #room: SpoolRoom
  /** In the order in which they were written. */
  readonly #requests: SpooledRequest[] = []
  #removals: Promise<unknown> = Promise.resolve()
  /** Files that a killed process had not finished. Nobody was told that they were kept. */
  unfinished = 0
  /** To be told of what gives way to newer requests. */
  onGivenWay: (request: SpooledRequest) => void = () => {}
  /** Does not give way now: it is under way. */
  isHeld: (request: SpooledRequest) => boolean = () => false

  constructor(path: string, room: SpoolRoom) {
    this.path = path
    this.#room = room
  }

  /** What is there from before; its largest sequence number. */
  async find(): Promise<number> {
    for (const file of await readdir(this.path)) {
      if (UNFINISHED.test(file)) {
        this.unfinished++
        await rm(join(this.path, file), { force: true })
      }
      const name = parseName(file)
      if (!name) continue
      const { size } = await stat(join(this.path, file))
      this.#requests.push({ ...name, bytes: bodyBytes(size), diskBytes: diskBytes(bodyBytes(size)) })
    }
    this.#requests.sort((a, b) => a.sequence - b.sequence)
    return this.#requests.at(-1)?.sequence ?? 0
  }

  get requests(): readonly SpooledRequest[] {
    return this.#requests
  }

  get diskBytes(): number {
    return this.#requests.reduce((sum, request) => sum + request.diskBytes, 0)
  }

  /** It survives the process when it resolves. */
  async write(items: number, body: Uint8Array): Promise<SpooledRequest> {
    const bytes = diskBytes(body.length)
    await this.#room.take(bytes)
    const request = { sequence: this.#room.nextSequence(), items, bytes: body.length, diskBytes: bytes }
    const file = fileName(request)
    try {
      await writeSpoolFile(this.path, file, body, this.#room.syncs)
    } catch (error) {
      this.#room.give(bytes)
      throw error
    }
    this.#requests.push(request)
    this.#room.written(join(this.path, file))
    return request
  }

  /** Throws for what is not as it was written. */
  read(request: SpooledRequest): Promise<Uint8Array> {
    return readSpoolFile(this.path, fileName(request))
  }

  /** It is sent again after a restart when this fails: better twice than never. */
  async remove(request: SpooledRequest): Promise<void> {
    const at = this.#requests.indexOf(request)
    if (at < 0) return
    this.#requests.splice(at, 1)
    this.#room.give(request.diskBytes)
    const removed = rm(join(this.path, fileName(request)), { force: true }).catch(() => {})
    this.#removals = Promise.all([this.#removals, removed])
    await removed
  }

  /** Resolves when the disk has nothing any more of what was removed. */
  async settled(): Promise<void> {
    await this.#removals
  }

  /** undefined: none may go. */
  oldest(): SpooledRequest | undefined {
    return this.#requests.find(request => !this.isHeld(request))
  }
}

function diskBytes(body: number): number {
  return Math.ceil((HEADER_BYTES + body) / BLOCK_BYTES) * BLOCK_BYTES
}
