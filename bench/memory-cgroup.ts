// A memory cgroup for one process, in either version: what it used at its peak, kernel maps included.
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = '/sys/fs/cgroup'
const VERSIONS = [
  { root: join(ROOT, 'memory'), peak: 'memory.max_usage_in_bytes' },
  { root: ROOT, peak: 'memory.peak' },
]

export class MemoryCgroup {
  readonly #folder: string
  readonly #peak: string

  private constructor(folder: string, peak: string) {
    this.#folder = folder
    this.#peak = peak
  }

  /** undefined where this machine has no memory controller for us. */
  static create(name: string): MemoryCgroup | undefined {
    for (const { root, peak } of VERSIONS) {
      if (!existsSync(join(root, 'cgroup.procs'))) continue
      const folder = join(root, name)
      mkdirSync(folder)
      if (existsSync(join(folder, peak))) return new MemoryCgroup(folder, join(folder, peak))
      rmdirSync(folder)
    }
    return undefined
  }

  /** A program that moves itself here and becomes the one named behind it. */
  get entrance(): string[] {
    return ['sh', '-c', `echo $$ > ${join(this.#folder, 'cgroup.procs')} && exec "$@"`, 'sh']
  }

  get peakBytes(): number {
    return Number(readFileSync(this.#peak, 'utf8'))
  }

  /** After its last process ended. */
  remove(): void {
    rmdirSync(this.#folder)
  }
}
