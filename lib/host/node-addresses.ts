// The addresses of this network namespace's own interfaces, as the operating system lists them.
import { networkInterfaces } from 'node:os'

/** Without loopback and without zones. Bridges and tunnels count: a packet from them is the node's. */
export function nodeAddresses(): string[] {
  const found = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return [...new Set(found.filter(each => !each.internal).map(each => each.address.replace(/%.*/, '')))]
}
