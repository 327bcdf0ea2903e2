// The addresses of this network namespace's own interfaces, as the operating system lists them.
import { networkInterfaces } from 'node:os'

/**
 * Without those that every machine has, and without zones. Bridges and tunnels count: a packet from them is the node's;
 * and so does what a router gave to the loopback device.
 */
export function nodeAddresses(): string[] {
  const found = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  const addresses = found.map(each => each.address.replace(/%.*/, ''))
  return [...new Set(addresses)].filter(address => address !== '::1' && !address.startsWith('127.'))
}
