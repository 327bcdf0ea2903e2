// Leaves nothing behind: a lock that one demo holds, and a watchdog that cleans up when the demo dies without doing so.
import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../host/failure.ts'
import { NETNS_PREFIX } from './pods.ts'
import { lockedCommand } from './traffic-program.ts'

const LOCK = 'podweir-demo'
const BUSY = 75
const ATTEMPTS = 4
const RETRY_MS = 500

/** Prints what it removed. Everything else of the demo lives inside these namespaces and goes with them. */
const REMOVE = `PATH=$PATH:/usr/sbin:/sbin
for path in /run/netns/${NETNS_PREFIX}*; do
  [ -e "$path" ] && ip netns del "\${path##*/}" && echo "\${path##*/}"
done
true`

/** \`read\` returns at the demo's word or at the end of the pipe, which is the demo's death. */
const WATCH = `echo ready
read -r word
[ "$word" = finished ] && exit 0
exec >/dev/null # the dead demo's pipe would end us at the first word
${REMOVE}`

function busy(): Failure {
  return new Failure({
    step: 'start',
    subject: 'demo',
    cause: 'another demo is running on this machine',
    remedy: 'end that one first (Ctrl-C in its terminal)',
  })
}

/** Holds the lock from `start()` until the demo says `finish()`, or until it has cleaned up after the demo's death. */
export class Watchdog {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Fails when another demo runs. Retries for a moment, since one that was killed may be in its clean-up. */
  static async start(): Promise<Watchdog> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const child = await startWatching()
      if (child) return new Watchdog(child)
      if (attempt < ATTEMPTS) await sleep(RETRY_MS)
    }
    throw busy()
  }

  /** The demo has removed everything itself. Resolves when the lock is free. */
  finish(): Promise<void> {
    return this.#end('finished\n')
  }

  /** Lets the watchdog remove everything, for a demo that can't. Resolves when that is done. */
  removeAll(): Promise<void> {
    return this.#end('')
  }

  #end(word: string): Promise<void> {
    if (this.#child.exitCode !== null) return Promise.resolve()
    return new Promise(resolve => {
      this.#child.ref()
      this.#child.once('exit', () => resolve())
      this.#child.stdin!.end(word)
    })
  }
}

/** undefined when somebody holds the lock. */
function startWatching(): Promise<ChildProcess | undefined> {
  const { file, args } = lockedCommand(LOCK, ['sh', '-c', WATCH])
  // A session of its own: Ctrl-C in the terminal, and a terminal that closes, must not end it.
  const child = spawn(file, args, { detached: true, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] })
  return new Promise((resolve, reject) => {
    const fail = (cause: string) =>
      reject(new Failure({ step: 'start', subject: 'watchdog', cause, remedy: 'build the project (npm run build)' }))
    child.once('error', error => fail(error.message))
    child.once('exit', code => (code === BUSY ? resolve(undefined) : fail(`ended with code ${code}`)))
    child.stdin!.on('error', () => {})
    child.stdout!.once('data', () => {
      letGo(child)
      resolve(child)
    })
  })
}

/** The watchdog waits for the demo, so the demo's event loop must not wait for the watchdog. */
function letGo(child: ChildProcess): void {
  child.unref()
  for (const stream of [child.stdin, child.stdout]) if (stream instanceof Socket) stream.unref()
}

/** Removes what a demo that was killed left behind, and resolves to its names. Fails while a demo runs. */
export function clean(): Promise<string[]> {
  const { file, args } = lockedCommand(LOCK, ['sh', '-c', REMOVE])
  const child = spawn(file, args, { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code === BUSY) return reject(busy())
      resolve(output.split('\n').filter(name => name !== ''))
    })
  })
}
