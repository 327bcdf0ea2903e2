// The receipt: the ledger's three equations per interface and in total, and whether every packet is accounted for.
import { classesHold, type DirectionFigures, deviceHolds, wireHolds } from '../aggregate/figures.ts'
import type { FlowTable } from '../aggregate/flow-table.ts'
import { type Direction, directions, type InterfaceAccount } from '../aggregate/interface-account.ts'
import type { ProgramTime } from '../capture/flow-source.ts'
import { type DeliveryFigures, deliveryHolds } from './delivery.ts'
import { type Books, nodeTotals } from './ledger-totals.ts'

export interface ReceiptRow extends DirectionFigures {
  /** `namespace/name`. */
  readonly pod: string
  readonly interface: string
  readonly direction: Direction
}

export interface Receipt {
  readonly schema: 'podweir.receipt/1'
  readonly balanced: boolean
  /** Two rows for each interface that is attached. */
  readonly interfaces: readonly ReceiptRow[]
  /** Also what interfaces that are gone had counted. */
  readonly total: DirectionFigures
  /** In packets. */
  readonly delivery: DeliveryFigures
  readonly deliveryBytes: DeliveryFigures
  readonly flows: { readonly count: number; readonly named: number }
  /** null when no flow had two named ends. */
  readonly firstNamedFlowSeconds: number | null
  readonly program: { readonly nanosecondsPerPacket: number; readonly runs: number }
}

export interface ReceiptParts extends Books {
  readonly table: FlowTable
  /** Wall clock: `firstNamedFlowSeconds` counts from here. */
  readonly startedAtMs: number
  readonly program: ProgramTime
}

export function buildReceipt(parts: ReceiptParts): Receipt {
  const { table, ledger, program } = parts
  const rows = [...ledger.openAccounts()].flatMap(rowsOf)
  const { delivery, ...total } = nodeTotals(parts)
  const named = table.firstNamedAtMs
  return {
    schema: 'podweir.receipt/1',
    balanced: isBalanced(rows, total, delivery, ledger.closedWithGaps),
    interfaces: rows,
    total,
    delivery: delivery.packets,
    deliveryBytes: delivery.bytes,
    flows: table.flows,
    firstNamedFlowSeconds: named === undefined ? null : Math.max(0, Math.round(named - parts.startedAtMs)) / 1000,
    program: { nanosecondsPerPacket: perRun(program), runs: program.runs },
  }
}

function isBalanced(
  rows: readonly ReceiptRow[],
  total: DirectionFigures,
  delivery: { packets: DeliveryFigures; bytes: DeliveryFigures },
  closedWithGaps: number,
): boolean {
  // An agent that sees nothing has nothing to be wrong about.
  if (total.packets.seen === 0 || total.skbs.device === 0) return false
  if (delivery.packets.queued !== 0 || delivery.bytes.queued !== 0) return false
  return (
    closedWithGaps === 0 &&
    [...rows, total].every(holds) &&
    deliveryHolds(delivery.packets) &&
    deliveryHolds(delivery.bytes)
  )
}

/** Row by row, because gaps of opposite sign cancel out in a sum. */
function holds({ skbs, packets, bytes, classes }: DirectionFigures): boolean {
  const areClassed = classesHold(packets, classes.packets) && classesHold(bytes, classes.bytes)
  return deviceHolds(skbs) && wireHolds(packets) && wireHolds(bytes) && areClassed
}

function rowsOf(account: InterfaceAccount): ReceiptRow[] {
  const pod = nameOf(account)
  const device = account.owner?.device ?? account.attachment?.device ?? ''
  return directions.map(direction => ({ pod, interface: device, direction, ...account[direction].figures() }))
}

function nameOf({ owner, interfaceSlot }: InterfaceAccount): string {
  const pod = owner?.identity.pod
  return pod ? `${pod.namespace}/${pod.name}` : (owner?.identity.name ?? `interface-${interfaceSlot}`)
}

/** A run handles one skb. Dividing by the packets inside GSO skbs would flatter. */
function perRun({ nanoseconds, runs }: ProgramTime): number {
  return runs === 0 ? 0 : Math.round((nanoseconds / runs) * 10) / 10
}
