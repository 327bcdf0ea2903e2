// Appends each request as one line to a file. Before the file would exceed its size it is set aside as
// `path.1`, an older one as `path.2` and so on.
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileExporterConfig } from '../config/exporters.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import type { Sender, SendOutcome } from './sender.ts'

const LINE_END = Buffer.from('\n')

export class FileSender implements Sender {
  readonly #config: FileExporterConfig
  #last: Promise<unknown> = Promise.resolve()

  constructor(config: FileExporterConfig) {
    this.#config = config
  }

  async send({ body }: EncodedRequest): Promise<SendOutcome> {
    const written = this.#last.then(() => this.#append(Buffer.concat([body, LINE_END])))
    this.#last = written
    const error = await written
    return error ? { kind: 'retry', error } : { kind: 'delivered', rejected: 0 }
  }

  /** What is being written is written to its end: half a line would spoil the file. */
  async close(): Promise<void> {
    await this.#last
  }

  /** Opens anew for each request: the file may have been moved or removed in between. */
  async #append(line: Buffer): Promise<Error | undefined> {
    const { path } = this.#config
    try {
      await this.#rotateFor(line.length)
      await mkdir(dirname(path), { recursive: true })
      const file = await open(path, 'a', 0o640)
      try {
        const { size } = await file.stat()
        try {
          await file.appendFile(line)
          await file.datasync()
        } catch (error) {
          // Half a line would spoil the next one.
          await file.truncate(size).catch(() => {})
          throw error
        }
      } finally {
        await file.close()
      }
    } catch (error) {
      return new Error(`${path} can't be written: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  }

  async #rotateFor(lineBytes: number): Promise<void> {
    const { path, maxFileBytes, maxBackups } = this.#config
    const size = await stat(path).then(
      found => (found.isFile() ? found.size : 0),
      () => 0,
    )
    if (size === 0 || size + lineBytes <= maxFileBytes) return
    for (let i = maxBackups; i > 1; i--) await rename(`${path}.${i - 1}`, `${path}.${i}`).catch(ignoreMissing)
    if (maxBackups > 0) await rename(path, `${path}.1`)
    else await (await open(path, 'w')).close()
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
