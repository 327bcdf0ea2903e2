// A real server as a child process: started until it says that it is ready, stopped, killed, or made to stand still.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const recipe = new URL('./servers/build-servers.sh', import.meta.url).pathname
const LINES_KEPT = 200

export interface ServerCommand {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A line of its output that says so. Absent: whoever starts it finds out. */
  readonly ready?: RegExp
}

export class ServerProcess {
  readonly #what: ServerCommand
  readonly #said: string[] = []
  #child: ChildProcess | undefined

  constructor(what: ServerCommand) {
    this.#what = what
  }

  /** The last lines that it wrote. */
  get said(): readonly string[] {
    return this.#said
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Also after `stop` or `kill`. */
  async start(): Promise<void> {
    const { name, command, env, ready } = this.#what
    if (this.#child) throw new Error(`${name} is running`)
    const [program, ...args] = command
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin', ...env } })
    this.#child = child
    // Mocha ends with process.exit when a test hangs: the server must not outlive it.
    const killed = () => child.kill('SIGKILL')
    process.once('exit', killed)
    child.once('exit', () => process.removeListener('exit', killed))
    this.#said.length = 0
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout!, child.stderr!])
        createInterface({ input: stream }).on('line', line => {
          if (this.#said.push(line) > LINES_KEPT) this.#said.shift()
          if (ready?.test(line)) resolve()
        })
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`${name} ended with ${code}: ${this.#said.join('\n')}`)))
      if (!ready) child.once('spawn', resolve)
    })
  }

  /** Politely: what it was to write is written. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** It keeps its connections and does nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    // One that stands still would never hear it.
    child.kill('SIGCONT')
    await exit
  }
}

/** Builds or fetches it when it is not there; its folder. */
export async function ensureServer(name: string, version: string, folder = `${name}-${version}`): Promise<string> {
  await promisify(execFile)(recipe, [name])
  return join(process.env.PODWEIR_SERVERS ?? join(homedir(), '.cache/podweir/servers'), folder)
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
