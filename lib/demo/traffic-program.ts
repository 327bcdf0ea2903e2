// Starts podweir-traffic (traffic/), knows when a server is ready, and collects the program's own counts at its end.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Failure } from '../host/failure.ts'
import { runCommand } from './command.ts'

const PROGRAM = fileURLToPath(new URL('../../build/Release/podweir-traffic', import.meta.url))
const REMEDY = 'build it (npm run build) and run as root'
const STOP_LIMIT_MS = 3000

/** The counts of one run, as the role names them. */
export type TrafficCounts = Readonly<Record<string, number>>

export interface TrafficOptions {
  /** Name under /run/netns, or a path; the program enters it by itself. */
  readonly netns?: string
  /** The program ends by itself after this time, and with its parent in any case. */
  readonly forSeconds?: number
  readonly arguments: readonly string[]
}

function commandLine(role: string, options: TrafficOptions): string[] {
  const netns = options.netns === undefined ? [] : ['--netns', options.netns]
  const bound = options.forSeconds === undefined ? [] : ['--for', String(options.forSeconds)]
  return [role, ...netns, ...bound, ...options.arguments]
}

/** A role that has no counts and ends at once: `sysctl`, `offload`. */
export async function runTrafficCommand(role: string, options: TrafficOptions): Promise<void> {
  await runCommand(PROGRAM, commandLine(role, options), { remedy: REMEDY })
}

/** The program and its arguments that run `command` while holding `name`; exit code 75: somebody else holds it. */
export function lockedCommand(name: string, command: readonly string[]): { file: string; args: string[] } {
  return { file: PROGRAM, args: ['lock', '--name', name, '--', ...command] }
}

export class TrafficProgram {
  /** Resolves at the program's end; rejects with a Failure when it ends without counts. */
  readonly counts: Promise<TrafficCounts>
  /** Resolves when a server listens. */
  readonly ready: Promise<void>
  readonly #child: ChildProcess
  readonly #subject: string
  #output = ''
  #errors = ''

  constructor(role: string, options: TrafficOptions) {
    const args = commandLine(role, options)
    this.#subject = `podweir-traffic ${args.join(' ')}`
    const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr.on('data', chunk => {
      this.#errors += chunk
    })
    this.ready = new Promise((resolve, reject) => {
      child.stdout.on('data', chunk => {
        this.#output += chunk
        if (this.#output.startsWith('ready\n')) resolve()
      })
      child.once('close', () => reject(this.#failure('ended before it was ready')))
      child.once('error', error => reject(this.#failure(error.message)))
    })
    this.counts = new Promise((resolve, reject) => {
      child.once('error', error => reject(this.#failure(error.message)))
      child.once('close', code => {
        const counts = this.#parseCounts()
        if (code === 0 && counts) return resolve(counts)
        reject(this.#failure(this.#errors.trim() || `ended with code ${code} and said ${JSON.stringify(this.#output)}`))
      })
    })
    // Whoever waits for one of the two hears of the failure; the other must not end the process.
    this.ready.catch(() => {})
    this.counts.catch(() => {})
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Asks the program to end, and by force when it does not; resolves to its counts. */
  async stop(): Promise<TrafficCounts> {
    this.#child.kill('SIGTERM')
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS)
    try {
      return await this.counts
    } finally {
      clearTimeout(force)
    }
  }

  #parseCounts(): TrafficCounts | undefined {
    const line = this.#output.trimEnd().split('\n').at(-1)
    if (!line?.startsWith('{')) return undefined
    const { role: _role, ...counts } = JSON.parse(line) as { role: string } & Record<string, number>
    return counts
  }

  #failure(cause: string): Failure {
    return new Failure({ step: 'run', subject: this.#subject, cause, remedy: REMEDY })
  }
}

/** Runs a client to its end. */
export function runTraffic(role: string, options: TrafficOptions): Promise<TrafficCounts> {
  return new TrafficProgram(role, options).counts
}
