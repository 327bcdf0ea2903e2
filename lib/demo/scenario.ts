// The demo's play: which pod talks to whom, how often and for how long, and what each program counted at its end.
import { setTimeout as sleep } from 'node:timers/promises'
import { CHECKOUT_SERVICE, OUTSIDE, PODS, podAddresses, podNetns } from './pods.ts'
import { type TrafficCounts, TrafficProgram } from './traffic-program.ts'

/** Without a duration the demo runs until it is stopped; its programs have a bound all the same. */
const LONGEST_SECONDS = 86_400
const SERVERS_OUTLIVE_CLIENTS_SECONDS = 30
const METRICS_PORT = 9100

interface Part {
  /** Where it runs: a pod of the cast, or the outside. */
  readonly at: string
  readonly role: string
  readonly arguments: readonly string[]
}

export interface PartCounts {
  readonly at: string
  readonly role: string
  readonly counts: TrafficCounts
}

function part(at: string, role: string, line: string): Part {
  return { at, role, arguments: line.split(' ') }
}

function servers(): Part[] {
  const scraped = PODS.filter(pod => pod.ports.includes(`${METRICS_PORT}/tcp`))
  return [
    part('cart', 'tcp-serve', '--port 7070 --request 400 --response 2100'),
    part('redis', 'tcp-serve', '--port 6379 --sink'),
    part('checkout', 'tcp-serve', '--port 5050 --request 700 --response 1200'),
    part('payments', 'tcp-serve', '--port 50051 --request 900 --response 300'),
    part('ledger', 'tcp-serve', '--port 5432 --request 250 --response 6000'),
    part('coredns', 'udp-serve', '--port 53 --answer --response 110'),
    part(OUTSIDE.name, 'tcp-serve', '--port 443 --request 1300 --response 2600'),
    ...scraped.map(pod => part(pod.name, 'tcp-serve', `--port ${METRICS_PORT} --request 180 --response 24000`)),
  ]
}

function clients(ipv6: boolean): Part[] {
  const v4 = (name: string) => podAddresses(name).v4
  const either = (name: string) => (ipv6 ? podAddresses(name).v6 : v4(name))
  const [stripe, warehouse] = OUTSIDE.hosts
  const scraped = PODS.filter(pod => pod.ports.includes(`${METRICS_PORT}/tcp`))
  const asking = PODS.filter(pod => pod.name !== 'coredns')
  const service = CHECKOUT_SERVICE
  return [
    part('frontend', 'tcp-request', `--to ${v4('cart')} --port 7070 --request 400 --response 2100 --rate 20`),
    part(
      'frontend',
      'tcp-request',
      `--to ${service.address} --port ${service.port} --request 700 --response 1200 --rate 5 --connections each`,
    ),
    part('cart', 'tcp-bulk', `--to ${v4('redis')} --port 6379 --rate 2000000`),
    part('checkout', 'tcp-request', `--to ${either('payments')} --port 50051 --request 900 --response 300 --rate 5`),
    part('payments', 'tcp-request', `--to ${v4('ledger')} --port 5432 --request 250 --response 6000 --rate 5`),
    part(
      'payments',
      'tcp-request',
      `--to ${stripe.v4} --port 443 --request 1300 --response 2600 --rate 2 --connections each`,
    ),
    part(
      'reports',
      'tcp-request',
      `--to ${ipv6 ? warehouse.v6 : warehouse.v4} --port 443 --request 1300 --response 2600 --rate 1`,
    ),
    part('reports', 'ping', `--to ${v4('ledger')} --interval 1`),
    part('metrics', 'ping', `--to ${either('coredns')} --interval 1`),
    part('checkout', 'refused', `--to ${v4('ledger')} --port 5433 --rate 1`),
    part('checkout', 'silent', `--to ${v4('fraud')} --port 9000 --rate 0.5 --timeout 1.5`),
    ...scraped.map(pod =>
      part(
        'metrics',
        'tcp-request',
        `--to ${either(pod.name)} --port ${METRICS_PORT} --request 180 --response 24000 --rate 1`,
      ),
    ),
    ...asking.map((pod, i) =>
      part(
        pod.name,
        'udp-send',
        `--to ${i % 2 ? either('coredns') : v4('coredns')} --port 53 --size 45 --tuples 64 --rate 2 --expect-answer`,
      ),
    ),
  ]
}

export class Scenario {
  readonly #servers: { part: Part; program: TrafficProgram }[] = []
  readonly #clients: { part: Part; program: TrafficProgram }[] = []
  readonly #ipv6: boolean

  constructor(ipv6: boolean) {
    this.#ipv6 = ipv6
  }

  /** Resolves when every server listens and every client was started; clients end by themselves after `seconds`. */
  async start(seconds = LONGEST_SECONDS): Promise<void> {
    for (const each of servers()) this.#servers.push(run(each, seconds + SERVERS_OUTLIVE_CLIENTS_SECONDS))
    await Promise.all(this.#servers.map(({ program }) => program.ready))
    for (const each of clients(this.#ipv6)) this.#clients.push(run(each, seconds))
  }

  /** Resolves when all clients have ended by themselves, which they do at the end of their time. */
  async finished(): Promise<void> {
    await Promise.allSettled(this.#clients.map(({ program }) => program.counts))
  }

  /** Ends clients first, so that servers see every connection's end. What failed to count is left out. */
  async stop(): Promise<PartCounts[]> {
    const ofClients = await collect(this.#clients)
    // The last FIN of a client may still be on its way through the server's socket.
    await sleep(20)
    return [...ofClients, ...(await collect(this.#servers))]
  }
}

function run(part: Part, forSeconds: number): { part: Part; program: TrafficProgram } {
  const netns = podNetns(part.at)
  return { part, program: new TrafficProgram(part.role, { netns, forSeconds, arguments: part.arguments }) }
}

async function collect(running: readonly { part: Part; program: TrafficProgram }[]): Promise<PartCounts[]> {
  const ended = await Promise.allSettled(running.map(({ program }) => program.stop()))
  return running.flatMap(({ part: { at, role } }, i) => {
    const end = ended[i]!
    return end.status === 'fulfilled' ? [{ at, role, counts: end.value }] : []
  })
}
