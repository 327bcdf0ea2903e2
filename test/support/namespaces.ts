// Builds network namespaces that are silent until a test speaks: no ARP, ND, DAD, MLD or router solicitation.
import { existsSync, writeFileSync } from 'node:fs'
import { runCommand } from '../../lib/demo/command.ts'
import { ipBatch, linksUp } from '../../lib/demo/iproute.ts'
import { runTraffic, runTrafficCommand, type TrafficCounts, TrafficProgram } from '../../lib/demo/traffic-program.ts'
import { type DeviceCounters, readDeviceCounters, readProtocolCounters } from './counters.ts'

const TRAFFIC_LIMIT_SECONDS = 60
const REMEDY = 'run the test as root'
const FAR_INDEX = 100
const NODE_NUMBER = 200

/** Set before links are made, so that each of them is born with it. addr_gen_mode 1 makes no link-local address. */
const QUIET = [
  'net/ipv6/conf/default/accept_dad=0',
  'net/ipv6/conf/default/dad_transmits=0',
  'net/ipv6/conf/default/accept_ra=0',
  'net/ipv6/conf/default/router_solicitations=0',
  'net/ipv6/conf/default/addr_gen_mode=1',
  'net/ipv4/conf/all/rp_filter=0',
  'net/ipv4/conf/default/rp_filter=0',
  // Fewer segments on the way than the 1,000 of net.core.netdev_max_backlog: no device drops what TCP counted as sent.
  'net/ipv4/tcp_rmem=4096 131072 786432',
]
const NO_IPV6 = ['net/ipv6/conf/all/disable_ipv6=1', 'net/ipv6/conf/default/disable_ipv6=1']

export interface Addresses {
  readonly v4: string
  readonly v6: string
  readonly mac: string
}

export class TestNamespace {
  readonly name: string
  readonly addresses: Addresses
  readonly #programs: TrafficProgram[] = []

  constructor(name: string, addresses: Addresses) {
    this.name = name
    this.addresses = addresses
  }

  get path(): string {
    return `/run/netns/${this.name}`
  }

  /** Runs any command inside the namespace and resolves to its stdout. */
  run(file: string, ...args: string[]): Promise<string> {
    return runCommand('nsenter', [`--net=${this.path}`, file, ...args], { remedy: REMEDY })
  }

  ip(...commands: string[]): Promise<void> {
    return ipBatch(commands, this.name)
  }

  /** Runs a client role of podweir-traffic to its end: `traffic('ping', '--to', address, '--count', 3)`. */
  traffic(role: string, ...args: (string | number)[]): Promise<TrafficCounts> {
    return runTraffic(role, { netns: this.name, forSeconds: TRAFFIC_LIMIT_SECONDS, arguments: args.map(String) })
  }

  /** Starts a server role and resolves when it listens; it ends by `stop()` or with the namespace. */
  async serve(role: string, ...args: (string | number)[]): Promise<TrafficProgram> {
    const program = new TrafficProgram(role, {
      netns: this.name,
      forSeconds: 10 * TRAFFIC_LIMIT_SECONDS,
      arguments: args.map(String),
    })
    this.#programs.push(program)
    await program.ready
    return program
  }

  async device(name = 'eth0'): Promise<DeviceCounters> {
    return (await readDeviceCounters(this.name))[name]!
  }

  protocols(): Promise<Record<string, number>> {
    return readProtocolCounters(this.name)
  }

  /** Segmentation and merging of a device. */
  offload(device: string, state: 'on' | 'off'): Promise<void> {
    return runTrafficCommand('offload', { netns: this.name, arguments: ['--device', device, state] })
  }

  async stopPrograms(): Promise<void> {
    await Promise.allSettled(this.#programs.map(program => program.stop()))
  }
}

export interface Pod {
  readonly namespace: TestNamespace
  /** The pair's other end, in the process's own namespace. */
  readonly hostDevice: string
}

/**
 * a eth0 --- port | bridge | hop --- eth0 b, with a's super-packets segmented at `hop`, so that this device counts
 * what would be on a wire: a sent what hop transmitted, and received what hop received.
 */
export interface WireHop {
  readonly a: TestNamespace
  readonly b: TestNamespace
  readonly middle: TestNamespace
  wire(): Promise<DeviceCounters>
}

export interface RoutedPods {
  readonly node: TestNamespace
  readonly pods: readonly TestNamespace[]
}

export interface PairOptions {
  /** IPv6 stays off unless asked for. */
  readonly ipv6?: boolean
}

let made = 0

/** Everything that one test made; `remove()` belongs into `after` or `afterEach`, which run after a failure too. */
export class Namespaces {
  readonly #prefix: string
  readonly #namespaces: TestNamespace[] = []
  readonly #hostLinks: string[] = []

  constructor(prefix = `pwt${process.pid}`) {
    this.#prefix = prefix
  }

  /** Two namespaces joined by one veth pair; the device is `eth0` at both ends. */
  async createPair(options: PairOptions = {}): Promise<{ a: TestNamespace; b: TestNamespace }> {
    const [a, b] = await this.#create([1, 2], options.ipv6 ?? false)
    await ipBatch([
      // Ends that differ in index have their carrier at once, others up to a second later (linkwatch_urgent_event).
      `link add eth0 index ${FAR_INDEX} netns ${b!.name} address ${b!.addresses.mac} type veth peer name eth0 netns ${a!.name} address ${a!.addresses.mac}`,
    ])
    await this.#address([a!, b!], options.ipv6 ?? false)
    return { a: a!, b: b! }
  }

  async wireHop(options: PairOptions = {}): Promise<WireHop> {
    const ipv6 = options.ipv6 ?? false
    const [a, b] = await this.#create([1, 2], ipv6)
    const [middle] = await this.#create([3], false)
    await ipBatch([
      `link add port index ${FAR_INDEX} netns ${middle!.name} type veth peer name eth0 netns ${a!.name} address ${a!.addresses.mac}`,
      `link add hop index ${FAR_INDEX + 1} netns ${middle!.name} type veth peer name eth0 netns ${b!.name} address ${b!.addresses.mac}`,
    ])
    await middle!.ip(
      'link add bridge type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
      ...['port', 'hop'].flatMap(end => [`link set ${end} master bridge`, `link set ${end} up`]),
      'link set bridge up',
    )
    // Wire truth at both ends of the hop: neither may hand over what a wire could not carry.
    await Promise.all([middle!.offload('hop', 'off'), b!.offload('eth0', 'off')])
    await this.#address([a!, b!], ipv6)
    await linksUp(['port', 'hop'], middle!.name)
    return { a: a!, b: b!, middle: middle!, wire: () => middle!.device('hop') }
  }

  /** Pods as a CNI makes them: eth0 inside, the other end in this process's namespace, on one bridge. */
  async createPods(count: number, options: PairOptions = {}): Promise<Pod[]> {
    const ipv6 = options.ipv6 ?? false
    const bridge = this.#hostLink('br')
    const numbers = Array.from({ length: count }, (_, i) => i + 1)
    const namespaces = await this.#create(numbers, ipv6)
    const pods = namespaces.map((namespace, i) => ({ namespace, hostDevice: this.#hostLink(`h${i}`) }))
    await ipBatch([
      `link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      ...pods.map(
        ({ namespace, hostDevice }) =>
          `link add ${hostDevice} type veth peer name eth0 netns ${namespace.name} address ${namespace.addresses.mac}`,
      ),
    ])
    for (const link of [bridge, ...pods.map(pod => pod.hostDevice)])
      writeFileSync(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, '1')
    await ipBatch([
      ...pods.flatMap(pod => [`link set ${pod.hostDevice} master ${bridge}`, `link set ${pod.hostDevice} up`]),
      `link set ${bridge} up`,
    ])
    await this.#address(namespaces, ipv6)
    await linksUp(pods.map(pod => pod.hostDevice))
    return pods
  }

  /** Pods of a node that routes between them, each on a link of its own: what the node translates is the test's. */
  async createRouted(count: number, options: PairOptions = {}): Promise<RoutedPods> {
    const ipv6 = options.ipv6 ?? false
    const pods = await this.#create(
      Array.from({ length: count }, (_, i) => i + 1),
      ipv6,
    )
    const [node] = await this.#create([NODE_NUMBER], ipv6)
    const forward = ['net/ipv4/ip_forward=1', ...(ipv6 ? ['net/ipv6/conf/all/forwarding=1'] : [])]
    await runTrafficCommand('sysctl', { netns: node!.name, arguments: forward })
    const ports = pods.map((_, i) => ({ name: `port${i}`, mac: `02:77:00:00:01:0${i}` }))
    await ipBatch(
      pods.map(({ name, addresses }, i) => {
        const end = `${ports[i]!.name} index ${FAR_INDEX + i} netns ${node!.name} address ${ports[i]!.mac}`
        return `link add ${end} type veth peer name eth0 netns ${name} address ${addresses.mac}`
      }),
    )
    await node!.ip('link set lo up', ...routes(node!, pods, ports, ipv6))
    for (const [i, pod] of pods.entries()) await pod.ip(...uplink(pod, node!, ports[i]!.mac, ipv6))
    await linksUp(
      ports.map(({ name }) => name),
      node!.name,
    )
    return { node: node!, pods }
  }

  /** Never fails because something is gone already. */
  async remove(): Promise<void> {
    await Promise.all(this.#namespaces.map(namespace => namespace.stopPrograms()))
    const links = this.#hostLinks.filter(link => existsSync(`/sys/class/net/${link}`))
    const names = this.#namespaces.map(namespace => namespace.name).filter(name => existsSync(`/run/netns/${name}`))
    this.#namespaces.length = 0
    this.#hostLinks.length = 0
    await ipBatch([...links.map(link => `link del ${link}`), ...names.map(name => `netns del ${name}`)])
  }

  #hostLink(suffix: string): string {
    const link = `${this.#prefix}${made++}${suffix}`
    this.#hostLinks.push(link)
    return link
  }

  async #create(numbers: readonly number[], ipv6: boolean): Promise<TestNamespace[]> {
    const created = numbers.map(
      number =>
        new TestNamespace(`${this.#prefix}-${made++}`, {
          v4: `10.77.0.${number}`,
          v6: `fd77::${number.toString(16)}`,
          mac: `02:77:00:00:00:${number.toString(16).padStart(2, '0')}`,
        }),
    )
    this.#namespaces.push(...created)
    await ipBatch(created.map(namespace => `netns add ${namespace.name}`))
    const settings = ipv6 ? QUIET : [...QUIET, ...NO_IPV6]
    const names = created.map(namespace => namespace.name).join(',')
    await runTrafficCommand('sysctl', { netns: names, arguments: settings })
    return created
  }

  /** `arp off` joins no solicited-node group, so MLD has nothing to report; permanent neighbours stand in for ARP and ND. */
  async #address(namespaces: readonly TestNamespace[], ipv6: boolean): Promise<void> {
    await Promise.all(
      namespaces.map(namespace => {
        const others = namespaces.filter(other => other !== namespace).map(other => other.addresses)
        const { v4, v6 } = namespace.addresses
        return namespace.ip(
          'link set lo up',
          'link set eth0 arp off',
          `address add ${v4}/24 dev eth0`,
          ...(ipv6 ? [`address add ${v6}/64 dev eth0 nodad`] : []),
          'link set eth0 up',
          ...others.map(other => `neighbour add ${other.v4} lladdr ${other.mac} dev eth0 nud permanent`),
          ...others.flatMap(other =>
            ipv6 ? [`neighbour add ${other.v6} lladdr ${other.mac} dev eth0 nud permanent`] : [],
          ),
        )
      }),
    )
    await Promise.all(namespaces.map(namespace => linksUp(['eth0'], namespace.name)))
  }
}

type Port = { readonly name: string; readonly mac: string }

const ofFamilies = ({ v4, v6 }: Addresses, ipv6: boolean) => (ipv6 ? [v4, v6] : [v4])

function routes(node: TestNamespace, pods: readonly TestNamespace[], ports: readonly Port[], ipv6: boolean): string[] {
  return [
    ...ofFamilies(node.addresses, ipv6).map(address => `address add ${address} dev lo`),
    ...ports.flatMap(({ name }) => [`link set ${name} arp off`, `link set ${name} up`]),
    ...pods.flatMap(({ addresses }, i) =>
      ofFamilies(addresses, ipv6).flatMap(address => [
        `route add ${address} dev ${ports[i]!.name}`,
        `neighbour add ${address} lladdr ${addresses.mac} dev ${ports[i]!.name} nud permanent`,
      ]),
    ),
  ]
}

function uplink(pod: TestNamespace, node: TestNamespace, mac: string, ipv6: boolean): string[] {
  return [
    ...['link set lo up', 'link set eth0 arp off'],
    ...ofFamilies(pod.addresses, ipv6).map(address => `address add ${address} dev eth0`),
    'link set eth0 up',
    ...ofFamilies(node.addresses, ipv6).flatMap(gateway => [
      `neighbour add ${gateway} lladdr ${mac} dev eth0 nud permanent`,
      `route add ${gateway} dev eth0`,
      `route add default via ${gateway} dev eth0`,
    ]),
  ]
}
