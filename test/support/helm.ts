// Helm, both of its majors, as its makers build it.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureServer } from './server-process.ts'

/** As build-servers.sh has them. */
const releases = [
  ['helm', '4.3.1'],
  ['helm3', '3.22.0'],
] as const

export const chart = new URL('../../deploy/chart', import.meta.url).pathname

export class Helm {
  readonly program: string
  readonly #environment: NodeJS.ProcessEnv

  /** Builds it where it was never built. What it writes goes into `folder`. */
  static async ensure(release: 3 | 4, folder: string, kubeconfig?: string): Promise<Helm> {
    const [name, version] = releases.find(([, each]) => each.startsWith(`${release}.`))!
    const server = await ensureServer(name, version, `helm-${version}`)
    return new Helm(join(server, 'helm'), folder, kubeconfig)
  }

  private constructor(program: string, folder: string, kubeconfig: string | undefined) {
    this.program = program
    const homes = { HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder }
    this.#environment = { PATH: '/usr/bin:/bin', HOME: folder, ...homes, ...(kubeconfig && { KUBECONFIG: kubeconfig }) }
  }

  async run(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.program, args, { env: this.#environment, maxBuffer: 2 ** 26 })
    return stdout
  }

  /** What it says when it refuses. */
  async refusal(...args: string[]): Promise<string> {
    try {
      return `it did: ${await this.run(...args)}`
    } catch (error) {
      return String((error as { stderr?: string }).stderr ?? error)
    }
  }
}
