// The live half of a soak: connections and datagrams between two namespaces, on one CPU, until they are stopped.
import { runCommand } from '../../lib/demo/command.ts'
import { TrafficProgram } from '../../lib/demo/traffic-program.ts'
import type { TestNamespace } from './namespaces.ts'

const LIMIT_SECONDS = 1800

export interface Ends {
  readonly a: TestNamespace
  readonly b: TestNamespace
}

const SERVERS = ['tcp-serve --port 5001 --sink', 'tcp-serve --port 5002', 'udp-serve --port 9000 --ports 8 --answer']

/** Flows that stay, flows that come and go, super-packets, both families; and as fast as the CPU lets it. */
export function busy({ v4, v6 }: TestNamespace['addresses']): string[] {
  return [
    `udp-send --to ${v4} --port 9000 --tuples 1600 --ports 8 --rate 0`,
    `udp-send --to ${v6} --port 9000 --tuples 200 --rate 8000`,
    `tcp-request --to ${v4} --port 5002 --parallel 4`,
    `tcp-request --to ${v6} --port 5002 --connections each --rate 200 --parallel 8`,
    `tcp-bulk --to ${v4} --port 5001 --rate 50000000`,
  ]
}

export function modest({ v4 }: TestNamespace['addresses']): string[] {
  return [`udp-send --to ${v4} --port 9000 --tuples 200 --rate 3000`]
}

export class SoakTraffic {
  readonly #servers: TrafficProgram[] = []
  readonly #clients: TrafficProgram[] = []

  async start({ a, b }: Ends, cpu: number, clients: typeof busy): Promise<void> {
    for (const server of SERVERS) {
      const program = begin(b, server)
      this.#servers.push(program)
      await program.ready
      await pin(program, cpu)
    }
    for (const client of clients(b.addresses)) {
      const program = begin(a, client)
      this.#clients.push(program)
      await pin(program, cpu)
    }
  }

  /** What they sent may still be on its way, and servers answer what they have got. */
  stopClients(): Promise<void> {
    return stopAll(this.#clients)
  }

  stopServers(): Promise<void> {
    return stopAll(this.#servers)
  }
}

/** Fails when one of them had failed before. */
async function stopAll(programs: TrafficProgram[]): Promise<void> {
  await Promise.all(programs.splice(0).map(program => program.stop()))
}

function begin(namespace: TestNamespace, command: string): TrafficProgram {
  const [role, ...args] = command.split(' ')
  return new TrafficProgram(role!, { netns: namespace.name, forSeconds: LIMIT_SECONDS, arguments: args })
}

async function pin({ pid }: TrafficProgram, cpu: number): Promise<void> {
  await runCommand('taskset', ['-cp', String(cpu), String(pid)], { remedy: 'run as root' })
}
