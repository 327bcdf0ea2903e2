// A process that only waits, in a network namespace and in a cgroup of a name that a container runtime would give.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { until } from './until.ts'

/** cgroup v2 wherever it is mounted. */
const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].filter(root => existsSync(join(root, 'cgroup.procs')))

export const hasCgroups = roots.length > 0

export class CgroupProcess {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #root: string

  private constructor(child: ChildProcess, folder: string, root: string) {
    this.#child = child
    this.#folder = folder
    this.#root = root
  }

  /** `path`: below a folder of this test process's own. Resolves when it is in both. */
  static async start(netns: string, path: string): Promise<CgroupProcess> {
    const root = join(roots[0]!, `podweir-test-${process.pid}`)
    const folder = join(root, path)
    mkdirSync(folder, { recursive: true })
    const wait = 'echo $$ > "$0" && echo in && exec sleep 600'
    const child = spawn('nsenter', [`--net=${netns}`, 'sh', '-c', wait, join(folder, 'cgroup.procs')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const started = new CgroupProcess(child, folder, root)
    const [said] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit').then(() => [''])])
    if (String(said) === 'in\n') return started
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
    for (let folder = this.#folder; folder.startsWith(this.#root); folder = dirname(folder))
      await until(`${folder} is gone`, () => isRemoved(folder))
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
