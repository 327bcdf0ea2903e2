// Who an address is that no pod, service or node owns: the longest configured block, then what the standards say.
import type { EndClass, Identity } from '../aggregate/identity.ts'
import { type Cidr, cidrContains, parseCidr } from '../capture/address.ts'
import type { InventoryCidr } from '../config/inventory.ts'

interface Block extends Cidr {
  readonly identity: Identity
}

type Intern = (identity: Identity) => Identity

const noPorts: ReadonlySet<string> = new Set()

/** These are blocks like configured ones: only an equal or longer one beats them. */
const specialBlocks: readonly InventoryCidr[] = [
  { cidr: '169.254.0.0/16', class: 'node', name: 'node' },
  // Where clouds tell a machine about itself: most of them, Google Cloud and AWS by IPv6, Alibaba Cloud, Azure.
  { cidr: '169.254.169.254/32', class: 'external', name: 'metadata' },
  { cidr: 'fd20:ce::254/128', class: 'external', name: 'metadata' },
  { cidr: 'fd00:ec2::254/128', class: 'external', name: 'metadata' },
  { cidr: '100.100.100.200/32', class: 'external', name: 'metadata' },
  { cidr: '168.63.129.16/32', class: 'external', name: 'metadata' },
  { cidr: '224.0.0.0/4', class: 'external', name: 'multicast' },
  { cidr: 'ff00::/8', class: 'external', name: 'multicast' },
  { cidr: '255.255.255.255/32', class: 'external', name: 'broadcast' },
]

/** Addresses that mean something only inside somebody's network (RFC 6890): any configured block beats them. */
const privateBlocks = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '240.0.0.0/4',
].map(cidr => parseCidr(cidr)!)

/** Of IPv6 only these are unicast addresses of the Internet (RFC 4291, RFC 6052). */
const globalBlocks = ['2000::/3', '64:ff9b::/96'].map(cidr => parseCidr(cidr)!)

export class AddressBlocks {
  readonly #blocks: readonly Block[]
  readonly #external: Identity
  readonly #unknown: Identity

  constructor(cidrs: readonly InventoryCidr[], intern: Intern) {
    // The sort is stable: of two equal blocks the configured one comes first.
    const configured = cidrs.map(each => ({ ...parseCidr(each.cidr)!, identity: intern(configuredIdentity(each)) }))
    const special = specialBlocks.map(each => ({ ...parseCidr(each.cidr)!, identity: intern(identityOf(each)) }))
    this.#blocks = [...configured, ...special].sort((a, b) => b.prefixLength - a.prefixLength)
    this.#external = intern({ class: 'external', name: 'external', ports: noPorts })
    this.#unknown = intern({ class: 'unknown', name: 'unknown', ports: noPorts })
  }

  /** undefined: the text is no address. */
  identify(address: Uint8Array | undefined): Identity {
    if (!address) return this.#unknown
    for (const block of this.#blocks) if (cidrContains(block, address)) return block.identity
    return isGlobal(address) ? this.#external : this.#unknown
  }
}

function configuredIdentity(cidr: InventoryCidr): Identity {
  const identity = identityOf(cidr)
  return cidr.class === 'pod' ? identity : { ...identity, foundBy: 'cidr' }
}

/** An address of a pod block that no pod owns is one of the node's devices: cni0, flannel.1, tunl0, cilium_host. */
function identityOf({ class: endClass, name }: InventoryCidr): Identity {
  if (endClass === 'pod') return { class: 'node', name: 'node', ports: noPorts }
  return { class: endClass satisfies EndClass, name, ports: noPorts }
}

function isGlobal(address: Uint8Array): boolean {
  if (address.length === 4) return !privateBlocks.some(block => cidrContains(block, address))
  return globalBlocks.some(block => cidrContains(block, address))
}
