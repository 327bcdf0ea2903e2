// The demo's network: one namespace per pod, one for the node's bridge and one for the world outside.
import { existsSync } from 'node:fs'
import { ipBatch, linksUp } from './iproute.ts'
import {
  BRIDGE,
  CHECKOUT_SERVICE,
  type DemoPod,
  NODE_NETNS,
  OUTSIDE,
  POD_CIDRS,
  PODS,
  podAddresses,
  podNetns,
  SERVICE_CIDR,
} from './pods.ts'
import { runTrafficCommand } from './traffic-program.ts'

export const POD_DEVICE = 'eth0'

const NODE_INDEX_BASE = 100

/** Set before links are made, so that each is born with it: usable at once, and no link-local address beside the known ones. */
const SETTINGS_V4 = ['net/ipv4/conf/all/rp_filter=0', 'net/ipv4/conf/default/rp_filter=0']
const SETTINGS_V6 = [
  'net/ipv6/conf/all/disable_ipv6=0',
  'net/ipv6/conf/default/disable_ipv6=0',
  'net/ipv6/conf/default/accept_dad=0',
  'net/ipv6/conf/default/dad_transmits=0',
  'net/ipv6/conf/default/accept_ra=0',
  'net/ipv6/conf/default/router_solicitations=0',
  'net/ipv6/conf/default/addr_gen_mode=1',
]

/** The pod's own end, where the agent attaches. */
export interface PodInterface {
  readonly pod: DemoPod
  /** Path of the namespace. */
  readonly netns: string
  readonly device: string
}

export class Topology {
  /** false where the machine has no IPv6 at all. */
  readonly ipv6: boolean = existsSync('/proc/net/if_inet6')

  get interfaces(): PodInterface[] {
    return PODS.map(pod => ({ pod, netns: `/run/netns/${podNetns(pod.name)}`, device: POD_DEVICE }))
  }

  /** Makes everything; the pods' devices stay down, so that whoever attaches before `up()` misses nothing. */
  async create(): Promise<void> {
    const netns = this.#namespaces()
    await ipBatch(netns.map(name => `netns add ${name}`))
    const settings = this.ipv6 ? [...SETTINGS_V4, ...SETTINGS_V6] : SETTINGS_V4
    await runTrafficCommand('sysctl', { netns: netns.join(','), arguments: settings })
    await ipBatch([
      ...PODS.map(pod => this.#pairCommand(podNetns(pod.name), podAddresses(pod.name).mac, pod.name)),
      this.#pairCommand(podNetns(OUTSIDE.name), OUTSIDE.mac, OUTSIDE.name),
    ])
    await Promise.all([
      ipBatch(this.#nodeCommands(), NODE_NETNS),
      ipBatch(this.#outsideCommands(), podNetns(OUTSIDE.name)),
      ...PODS.map(pod => ipBatch(this.#addressCommands(pod), podNetns(pod.name))),
    ])
  }

  /** Traffic is possible from here on. */
  async up(): Promise<void> {
    await Promise.all(PODS.map(pod => ipBatch(this.#upCommands(pod), podNetns(pod.name))))
    await linksUp(this.#nodeDevices(), NODE_NETNS)
  }

  /** Removing a namespace removes its devices, and with them everything that hangs on these. */
  async remove(): Promise<void> {
    const present = this.#namespaces().filter(name => existsSync(`/run/netns/${name}`))
    await ipBatch(present.map(name => `netns del ${name}`))
  }

  #namespaces(): string[] {
    return [NODE_NETNS, podNetns(OUTSIDE.name), ...PODS.map(pod => podNetns(pod.name))]
  }

  #pairCommand(netns: string, mac: string, name: string): string {
    // The kernel brings up a pair's carrier at once, and not up to a second later, when its ends differ in index
    // (linkwatch_urgent_event). The pods' end is 2, as in most pods.
    const index = NODE_INDEX_BASE + this.#nodeDevices().indexOf(`pw-${name}`)
    return `link add pw-${name} index ${index} netns ${NODE_NETNS} type veth peer name ${POD_DEVICE} netns ${netns} address ${mac}`
  }

  #nodeDevices(): string[] {
    return [...PODS.map(pod => podAddresses(pod.name).nodeDevice), `pw-${OUTSIDE.name}`]
  }

  #nodeCommands(): string[] {
    const ends = this.#nodeDevices()
    return [
      // Without snooping the bridge floods multicast as a plain switch does, and asks nobody for membership.
      `link add ${BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      ...ends.flatMap(end => [`link set ${end} master ${BRIDGE}`, `link set ${end} up`]),
      `link set ${BRIDGE} up`,
    ]
  }

  #addressCommands(pod: DemoPod): string[] {
    const { v4, v6 } = podAddresses(pod.name)
    const serves = pod.name === CHECKOUT_SERVICE.pod
    return [
      'link set lo up',
      `address add ${v4}/24 dev ${POD_DEVICE}`,
      ...(serves ? [`address add ${CHECKOUT_SERVICE.address}/32 dev ${POD_DEVICE}`] : []),
      ...(this.ipv6 ? [`address add ${v6}/64 dev ${POD_DEVICE} nodad`] : []),
    ]
  }

  #upCommands(pod: DemoPod): string[] {
    const onLink = [SERVICE_CIDR, ...OUTSIDE.hosts.map(host => `${host.v4}/32`)]
    return [
      `link set ${POD_DEVICE} up`,
      ...onLink.map(cidr => `route add ${cidr} dev ${POD_DEVICE}`),
      ...(this.ipv6 ? OUTSIDE.hosts.map(host => `route add ${host.v6}/128 dev ${POD_DEVICE}`) : []),
      // fraud gets what checkout sends and can't answer: a peer that keeps silent, without any firewall.
      ...(pod.name === 'fraud' ? [`route add blackhole ${podAddresses('checkout').v4}/32`] : []),
    ]
  }

  #outsideCommands(): string[] {
    return [
      'link set lo up',
      ...OUTSIDE.hosts.map(host => `address add ${host.v4}/32 dev ${POD_DEVICE}`),
      ...(this.ipv6 ? OUTSIDE.hosts.map(host => `address add ${host.v6}/128 dev ${POD_DEVICE} nodad`) : []),
      `link set ${POD_DEVICE} up`,
      `route add ${POD_CIDRS.v4} dev ${POD_DEVICE}`,
      ...(this.ipv6 ? [`route add ${POD_CIDRS.v6} dev ${POD_DEVICE}`] : []),
    ]
  }
}
