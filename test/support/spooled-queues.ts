// Queues with a spool in a folder of a test's own, ended and begun again as an agent would.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileStorageConfig } from '../../lib/config/file-storage.ts'
import { RequestQueue } from '../../lib/export/request-queue.ts'
import { RequestSpool } from '../../lib/export/request-spool.ts'
import type { SpoolFolder } from '../../lib/export/spool-folder.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { capturedLog } from './captured-log.ts'
import { ScriptedSender } from './scripted-sender.ts'

const soon = { enabled: true, initialMs: 1, maxMs: 1, multiplier: 1, maxElapsedMs: 0 }

export class SpooledQueues {
  readonly folder = mkdtempSync(join(tmpdir(), 'podweir-spool-'))
  readonly captured = capturedLog()
  /** Of queues that are made from now on. */
  sender = new ScriptedSender()
  readonly #spools: RequestSpool[] = []
  readonly #queues: RequestQueue[] = []

  async openSpool(config: Partial<FileStorageConfig> = {}): Promise<RequestSpool> {
    const defaults = { id: 'file_storage', directory: this.folder, maxBytes: 1_000_000, fsync: 'never' } as const
    const spool = await RequestSpool.open({ ...defaults, ...config }, this.captured.log)
    this.#spools.push(spool)
    return spool
  }

  queueOn(spool: SpoolFolder, bytes = 1_000_000): RequestQueue {
    const { sender, captured } = this
    const queue = new RequestQueue({
      ...{ id: 'otlp_grpc', signal: 'traces', sender, retry: soon, clock: systemClock, log: captured.log },
      limits: { bytes, items: 1_000_000 },
      spool,
    })
    this.#queues.push(queue)
    return queue
  }

  async start(config: Partial<FileStorageConfig> = {}): Promise<RequestQueue> {
    return this.queueOn(await (await this.openSpool(config)).folder('otlp_grpc', 'traces'))
  }

  /** As an agent ends. */
  async stop(): Promise<void> {
    for (const queue of this.#queues.splice(0)) await queue.close(0)
    for (const spool of this.#spools.splice(0)) await spool.close()
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true })
  }

  files(name = 'otlp_grpc.traces'): string[] {
    return readdirSync(join(this.folder, name)).sort()
  }

  get said(): string {
    return this.captured.messages.join('\n')
  }
}

export function lost({ counts }: RequestQueue): Record<string, number> {
  return Object.fromEntries(counts.lost)
}

export function assertBalanced({ counts }: RequestQueue): void {
  const gone = [...counts.lost.values()].reduce((sum, items) => sum + items, 0)
  assert.equal(counts.produced, counts.delivered + counts.superseded + gone + counts.queue.items)
}
