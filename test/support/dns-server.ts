// A real DNS server in a test's namespace, dnsmasq, which says itself what it was asked.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { TestNamespace } from './namespaces.ts'
import { until } from './until.ts'

export function hasDnsmasq(): boolean {
  return spawnSync('dnsmasq', ['--version'], { stdio: 'ignore' }).status === 0
}

export class DnsServer {
  readonly #child: ChildProcess
  #said = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stderr!.on('data', text => {
      this.#said += text
    })
  }

  /** Listens when it resolves. `records`: dnsmasq's options, such as `host-record=NAME,ADDRESS`. */
  static async start(
    namespace: TestNamespace,
    addresses: readonly string[],
    records: readonly string[],
  ): Promise<DnsServer> {
    const options = [
      ...['keep-in-foreground', 'conf-file=/dev/null', 'pid-file=', 'user=root', 'no-resolv', 'no-hosts'],
      ...['log-queries', 'log-facility=-', 'bind-interfaces', `listen-address=${addresses}`, 'cache-size=0'],
      ...records,
    ]
    const command = ['dnsmasq', ...options.map(option => `--${option}`)]
    const child = spawn('nsenter', [`--net=${namespace.path}`, ...command], { stdio: ['ignore', 'ignore', 'pipe'] })
    const killed = () => child.kill('SIGKILL')
    process.once('exit', killed)
    child.once('exit', () => process.removeListener('exit', killed))
    const server = new DnsServer(child)
    await until(
      () => `dnsmasq listens: ${server.#said}`,
      () => server.#said.includes('started'),
    )
    return server
  }

  /** How often it was asked for the name. */
  asked(name: string): number {
    return this.#said.split('\n').filter(line => / query\[/.test(line) && line.includes(`] ${name} from `)).length
  }

  /** Lookups in all. */
  get queries(): number {
    return this.#said.split('\n').filter(line => / query\[/.test(line)).length
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exit
  }
}
