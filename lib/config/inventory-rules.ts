// What an inventory must not say twice: a name, an address, a block or an interface with two owners.
import { deviceGlob, isPattern } from './device-glob.ts'
import type { InventorySettings } from './inventory-schema.ts'
import type { Path } from './problems.ts'
import type { YamlDocument } from './yaml-document.ts'

type InterfaceSettings = InventorySettings['pods'][number]['interfaces'][number]

interface Claim extends InterfaceSettings {
  readonly owner: string
}

export function refuseAmbiguity(document: YamlDocument, settings: InventorySettings): void {
  refuseNameTwice(document, 'pods', settings.pods)
  refuseNameTwice(document, 'services', settings.services)
  refuseAddressTwice(document, settings)
  refuseCidrTwice(document, settings.cidrs)
  refuseInterfaceTwice(document, settings.pods)
}

function refuseNameTwice(
  document: YamlDocument,
  kind: 'pods' | 'services',
  items: readonly { namespace: string; name: string }[],
): void {
  const seen = new Set<string>()
  for (const [i, { namespace, name }] of items.entries()) {
    const key = `${namespace}/${name}`
    if (seen.has(key)) refuse(document, [kind, i, 'name'], `${key} is here twice`, 'each name once a namespace')
    seen.add(key)
  }
}

function refuseAddressTwice(document: YamlDocument, settings: InventorySettings): void {
  const owners = new Map<string, string>()
  for (const kind of ['pods', 'services'] as const) {
    for (const [i, { namespace, name, addresses }] of settings[kind].entries()) {
      const owner = `${kind.slice(0, -1)} ${namespace}/${name}`
      for (const [j, address] of addresses.entries()) {
        const other = owners.get(address)
        if (other !== undefined && other !== owner) {
          refuse(
            document,
            [kind, i, 'addresses', j],
            `${address} belongs to ${other} too`,
            'one owner for each address',
          )
        }
        owners.set(address, owner)
      }
    }
  }
}

function refuseCidrTwice(document: YamlDocument, cidrs: InventorySettings['cidrs']): void {
  const owners = new Map<string, string>()
  for (const [i, { cidr, name }] of cidrs.entries()) {
    const other = owners.get(cidr)
    if (other !== undefined)
      refuse(document, ['cidrs', i, 'cidr'], `${cidr} belongs to ${other} too`, 'one owner for each CIDR')
    owners.set(cidr, name)
  }
}

/** Two patterns that overlap without being equal are not seen here; the first pod takes the device. */
function refuseInterfaceTwice(document: YamlDocument, pods: InventorySettings['pods']): void {
  const claimsByNamespace = new Map<string, Claim[]>()
  for (const [i, pod] of pods.entries()) {
    const owner = `${pod.namespace}/${pod.name}`
    for (const [j, each] of pod.interfaces.entries()) {
      // The same devices have other owners on another node.
      const key = JSON.stringify([pod.node, each.netns])
      const claims = claimsByNamespace.get(key) ?? []
      claimsByNamespace.set(key, claims)
      const other = claims.find(claim => overlap(claim.device ?? '*', each.device ?? '*'))
      if (other) {
        const what = `is an interface of ${other.owner === owner ? 'this pod already' : `${other.owner} too`}`
        refuse(document, ['pods', i, 'interfaces', j], what, 'one owner for each interface')
      }
      claims.push({ ...each, owner })
    }
  }
}

function overlap(a: string, b: string): boolean {
  if (a === b || a === '*' || b === '*') return true
  return (!isPattern(b) && deviceGlob(a)!.test(b)) || (!isPattern(a) && deviceGlob(b)!.test(a))
}

function refuse(document: YamlDocument, path: Path, what: string, allowed: string): void {
  document.problems.add(document.placeOf(path), path, what, allowed)
}
