// Any verb of the command line as its users run it: a process with an exit code, two streams and a log.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = join(root, 'lib/main.ts')
const END_LIMIT_MS = 20_000
const LINE_LIMIT_MS = 10_000
const POLL_MS = 10

export interface ProcessOptions {
  /** A program and its parameters that run the verb: `['setpriv', '--reuid=65534']`. */
  readonly through?: readonly string[]
  readonly cwd?: string
}

export interface End {
  /** null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface LogRecord {
  readonly level: string
  readonly msg: string
  readonly subject?: string
}

/**
 * A value of `through`: Node's flags and compile cache as the `podweir` command sets them. Both decide how much memory
 * the process takes.
 */
export function asStarted(): string[] {
  const flags = /^node_flags=\((.*)\)$/m.exec(readFileSync(join(root, 'podweir'), 'utf8'))
  if (!flags) throw new Error('the podweir command names no node_flags')
  return ['env', `NODE_OPTIONS=${flags[1]}`, `NODE_COMPILE_CACHE=${join(root, 'build/compile-cache')}`]
}

export class PodweirProcess {
  readonly ended: Promise<End>
  readonly #child: ChildProcess
  #running = true
  #stdout = ''
  #stderr = ''

  constructor(verb: readonly string[], { through = [], cwd }: ProcessOptions = {}) {
    const [file, ...args] = [...through, process.execPath, main, ...verb]
    const env = { PATH: process.env.PATH ?? '' }
    const child = spawn(file!, args, { env, stdio: ['ignore', 'pipe', 'pipe'], ...(cwd !== undefined && { cwd }) })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', text => {
      this.#stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      this.#stderr += text
    })
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.#running = false
      return { code, signal, stdout: this.#stdout, stderr: this.#stderr } as End
    })
    // Mocha ends with process.exit when a test hangs: the process must not outlive it.
    const killed = () => child.kill('SIGKILL')
    process.once('exit', killed)
    child.once('exit', () => process.removeListener('exit', killed))
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** What it has printed so far. */
  get stdout(): string {
    return this.#stdout
  }

  /** What it has logged so far. */
  get log(): LogRecord[] {
    const lines = this.#stderr.slice(0, this.#stderr.lastIndexOf('\n') + 1).split('\n')
    return lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as LogRecord)
  }

  messages(pattern: RegExp): string[] {
    return this.log.map(({ msg }) => msg).filter(msg => pattern.test(msg))
  }

  /** Waits for a record of the log; fails when it ends before, or with what it said when the time is over. */
  async logged(pattern: RegExp, limitMs = LINE_LIMIT_MS): Promise<LogRecord> {
    for (let waitedMs = 0; waitedMs < limitMs; waitedMs += POLL_MS) {
      const running = this.#running
      const found = this.log.find(({ msg }) => pattern.test(msg))
      if (found) return found
      if (!running) break
      await sleep(POLL_MS)
    }
    throw new Error(`${pattern} was not logged in ${limitMs} ms:\n${this.#stderr}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Its end, by force when it takes too long: the test then sees the signal SIGKILL. */
  async end(signal?: NodeJS.Signals): Promise<End> {
    if (signal) this.signal(signal)
    const force = setTimeout(() => this.signal('SIGKILL'), END_LIMIT_MS)
    try {
      return await this.ended
    } finally {
      clearTimeout(force)
    }
  }
}
