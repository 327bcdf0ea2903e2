// How long others wait for RTNL: latencies of another process's changes, by the time in which they were made.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

interface Change {
  readonly atMs: number
  readonly milliseconds: number
}

export interface Latencies {
  readonly p50: number
  readonly p95: number
  readonly count: number
}

export class RtnlLatency {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #changes: Change[] = []

  /** `netns`: a path; its loopback is what is changed. */
  constructor(netns: string) {
    const clock = fileURLToPath(new URL('rtnl-clock.ts', import.meta.url))
    this.#child = spawn('nsenter', [`--net=${netns}`, process.execPath, clock], { stdio: ['pipe', 'pipe', 'inherit'] })
    let rest = ''
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        const [atMs, nanoseconds] = line.split(' ').map(Number)
        this.#changes.push({ atMs: atMs!, milliseconds: nanoseconds! / 1e6 })
      }
    })
  }

  /** ms of the changes that ended while `work` ran. */
  async during(work: () => Promise<unknown>): Promise<Latencies> {
    const from = Date.now()
    await work()
    const to = Date.now()
    const all = this.#changes.filter(({ atMs }) => atMs >= from && atMs <= to).map(each => each.milliseconds)
    return { p50: quantile(all, 0.5), p95: quantile(all, 0.95), count: all.length }
  }

  async close(): Promise<void> {
    this.#child.stdin.end()
    await once(this.#child, 'close')
  }
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
