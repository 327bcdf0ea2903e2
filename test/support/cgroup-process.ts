// A process, by default one that only waits, in a network namespace and in a cgroup of a name that a container runtime would give.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { until } from './until.ts'

/** cgroup v2 wherever it is mounted. */
const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].filter(root => existsSync(join(root, 'cgroup.procs')))

export const hasCgroups = roots.length > 0

export class CgroupProcess {
  readonly #child: ChildProcess
  /** From the cgroup up to the last that was made for it. */
  readonly #made: readonly string[]

  private constructor(child: ChildProcess, made: readonly string[]) {
    this.#child = child
    this.#made = made
  }

  /** `path`: below a folder of this test process's own. Resolves when it is in both. */
  static async start(netns: string, path: string, command = ['sleep', '600']): Promise<CgroupProcess> {
    const root = join(roots[0]!, `podweir-test-${process.pid}`)
    const folder = join(root, path)
    mkdirSync(folder, { recursive: true })
    const made: string[] = []
    for (let each = folder; each.startsWith(root); each = dirname(each)) made.push(each)
    return CgroupProcess.#enter(netns, folder, command, made)
  }

  /** In the cgroup of a process that is there. */
  static beside(process: number, netns: string, command: readonly string[]): Promise<CgroupProcess> {
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${process}/cgroup`, 'utf8'))![1]!
    return CgroupProcess.#enter(netns, join(roots[0]!, path), command, [])
  }

  static async #enter(netns: string, folder: string, command: readonly string[], made: readonly string[]) {
    const enter = 'echo $$ > "$0" && echo in && exec "$@"'
    const child = spawn('nsenter', [`--net=${netns}`, 'sh', '-c', enter, join(folder, 'cgroup.procs'), ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const started = new CgroupProcess(child, made)
    const [said] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit').then(() => [''])])
    if (String(said).startsWith('in\n')) return started
    await started.end()
    throw new Error(`no process in ${folder}`)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** And takes its cgroup away, with what it was made in. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exit
    }
    for (const folder of this.#made) await until(`${folder} is gone`, () => isRemoved(folder))
  }
}

/** What has others' folders in it is left to them. A process that has ended stays in its cgroup for a moment. */
function isRemoved(folder: string): boolean {
  try {
    if (readdirSync(folder, { withFileTypes: true }).some(entry => entry.isDirectory())) return true
    rmdirSync(folder)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
