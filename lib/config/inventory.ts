// The inventory: which pods, services and address blocks there are, as a file says. The only reader of that file.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { refuseAmbiguity } from './inventory-rules.ts'
import { type InventorySettings, inventorySchema, type Protocol } from './inventory-schema.ts'
import { placeText } from './problems.ts'
import { unreadable } from './unreadable.ts'
import { validate } from './validation.ts'
import { YamlDocument } from './yaml-document.ts'

export interface InventoryWorkload {
  readonly kind: string
  readonly name: string
}

export interface InventoryInterface {
  /** Path of the network namespace; absent: the agent's own. */
  readonly netns?: string
  /** Name or pattern; absent: every Ethernet device of the namespace. */
  readonly device?: string
  /** `FILE:LINE:COLUMN`, for messages. */
  readonly place: string
}

export interface InventoryPod {
  readonly namespace: string
  readonly name: string
  readonly uid?: string
  readonly node?: string
  /** When it was created or got its addresses, wall clock, ms since 1970. */
  readonly createdMs?: number
  /** Empty for a pod of another node. */
  readonly interfaces: readonly InventoryInterface[]
  /** In their one canonical form. */
  readonly addresses: readonly string[]
  /** As `tcp/8080`. */
  readonly ports: readonly string[]
  readonly workload: InventoryWorkload
  readonly labels: Readonly<Record<string, string>>
}

export interface InventoryServicePort {
  readonly port: number
  /** Where the pods behind the service listen. */
  readonly target: number
  readonly protocol: Protocol
}

export interface InventoryService {
  readonly namespace: string
  readonly name: string
  readonly addresses: readonly string[]
  readonly ports: readonly InventoryServicePort[]
  readonly workload?: InventoryWorkload
}

export interface InventoryCidr {
  readonly name: string
  readonly cidr: string
  readonly class: 'external' | 'node' | 'pod'
}

export interface Inventory {
  readonly file: string
  /** Differs when the text differs. */
  readonly revision: string
  readonly pods: readonly InventoryPod[]
  readonly services: readonly InventoryService[]
  readonly cidrs: readonly InventoryCidr[]
}

/** Throws `WrongSettings` (exit code 2) for what is in the file, `Failure` (1) when it can't be read. */
export function loadInventory(file: string): Inventory {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable('read inventory', file, error)
  }
  return parseInventory(text, file)
}

export function parseInventory(text: string, file: string): Inventory {
  const document = new YamlDocument([{ name: file, text }])
  if (document.isEmpty) {
    // A file that is being rewritten is empty for a moment; that must not take all names away.
    document.problems.add({ file, line: 1, column: 1 }, [], 'is empty', 'pods, services, cidrs; for none, pods: []')
  }
  const settings = validate(document, inventorySchema, document.value ?? {})
  if (settings) refuseAmbiguity(document, settings)
  document.throwIfWrong('check inventory')
  const revision = createHash('sha256').update(text).digest('hex')
  return {
    file,
    revision,
    pods: settings!.pods.map((pod, i) => podOf(document, pod, i)),
    services: settings!.services.map(serviceOf),
    cidrs: settings!.cidrs,
  }
}

function podOf(document: YamlDocument, settings: InventorySettings['pods'][number], index: number): InventoryPod {
  const { uid, node, created, workload, ...pod } = settings
  return {
    ...pod,
    ...(uid !== undefined && { uid }),
    ...(node !== undefined && { node }),
    ...(created !== undefined && { createdMs: created }),
    interfaces: settings.interfaces.map(({ netns, device }, i) => {
      return {
        ...(netns !== undefined && { netns }),
        ...(device !== undefined && { device }),
        place: placeText(document.placeOf(['pods', index, 'interfaces', i])),
      }
    }),
    workload: workload ?? { kind: 'Pod', name: settings.name },
  }
}

function serviceOf(settings: InventorySettings['services'][number]): InventoryService {
  const { workload, ports, ...service } = settings
  return {
    ...service,
    ports: ports.map(({ port, target, protocol }) => ({ port, target: target ?? port, protocol })),
    ...(workload && { workload }),
  }
}
