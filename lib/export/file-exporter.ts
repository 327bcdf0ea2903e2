// Appends each request as one line of OTLP JSON to a file. Before the file would exceed its size it is set aside as
// `path.1`, an older one as `path.2` and so on.
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { FileExporterConfig } from '../config/exporters.ts'
import { otlpJson } from './otlp-json.ts'

const requestsWaiting = 4

export class FileExporter implements PushMetricExporter {
  readonly #config: FileExporterConfig
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #closed = false

  constructor(config: FileExporterConfig) {
    this.#config = config
  }

  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    const refusal = this.#refusal()
    if (refusal) {
      done({ code: ExportResultCode.FAILED, error: new Error(`${this.#config.path} ${refusal}`) })
      return
    }
    const line = Buffer.from(`${otlpJson(metrics)}\n`)
    this.#waiting++
    const written = this.#last.then(() => this.#append(line))
    this.#last = written
    written.then(error => {
      this.#waiting--
      done(error ? { code: ExportResultCode.FAILED, error } : { code: ExportResultCode.SUCCESS })
    })
  }

  #refusal(): string | undefined {
    if (this.#closed) return 'is closed'
    // A disk that hangs must not collect requests in memory.
    return this.#waiting >= requestsWaiting ? `is too slow: ${this.#waiting} requests wait` : undefined
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

  async forceFlush(): Promise<void> {
    await this.#last
  }

  async shutdown(): Promise<void> {
    this.#closed = true
    await this.#last
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
