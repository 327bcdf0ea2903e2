// A program of docs/embedding, running in a project that has installed the package.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { until } from './until.ts'

const START_MS = 20_000

export class Example {
  output = ''
  readonly #child: ChildProcess

  constructor(node: string, project: string, program: string, ...parameters: string[]) {
    const child = spawn(node, [program, ...parameters], { cwd: project })
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        this.output += text
      })
  }

  async says(what: RegExp): Promise<void> {
    const said = () => what.test(this.output) || this.#child.exitCode !== null
    await until(() => `${what}, but: ${this.output}`, said, { limitMs: START_MS })
    if (!what.test(this.output)) throw new Error(`it ended: ${this.output}`)
  }

  /** Asks it to end; fails where it ends otherwise. */
  async end(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const [code] = await ended
    if (code !== 0) throw new Error(`it ended with ${code}: ${this.output}`)
  }
}
