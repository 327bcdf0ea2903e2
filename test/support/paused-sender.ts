// A client of podweir-traffic that works only while it is asked to: the same sockets, and so the same flows, each time.
import { setTimeout as sleep } from 'node:timers/promises'
import { type TrafficCounts, TrafficProgram } from '../../lib/demo/traffic-program.ts'
import type { TestNamespace } from './namespaces.ts'

const LIMIT_SECONDS = 1800

export class PausedSender {
  readonly #program: TrafficProgram

  private constructor(program: TrafficProgram) {
    this.#program = program
    this.#signal('SIGSTOP')
  }

  static async start(from: TestNamespace, cpu: number, command: readonly (string | number)[]): Promise<PausedSender> {
    const [role, ...words] = command.map(String)
    const program = new TrafficProgram(role!, { netns: from.name, forSeconds: LIMIT_SECONDS, arguments: words })
    const sender = new PausedSender(program)
    await from.run('taskset', '-cp', String(cpu), String(program.pid))
    return sender
  }

  async work(ms: number): Promise<void> {
    this.#signal('SIGCONT')
    await sleep(ms)
    this.#signal('SIGSTOP')
  }

  /** Its counts. */
  stop(): Promise<TrafficCounts> {
    this.#signal('SIGCONT')
    return this.#program.stop()
  }

  #signal(signal: NodeJS.Signals): void {
    process.kill(this.#program.pid!, signal)
  }
}
