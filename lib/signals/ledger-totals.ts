// The three equations for the whole node, all terms from one moment.
import type { EdgeTable } from '../aggregate/edge-table.ts'
import { addFigures, type DirectionFigures, zeroFigures } from '../aggregate/figures.ts'
import { directions } from '../aggregate/interface-account.ts'
import type { InterfaceLedger } from '../aggregate/interface-ledger.ts'
import { type Delivery, type DeliveryFigures, deliveryFigures } from './delivery.ts'

export interface Books {
  readonly edges: EdgeTable
  readonly ledger: InterfaceLedger
  readonly delivery: Delivery
}

/** The same object as the `ledger` of `/v1/status`. */
export interface NodeTotals extends DirectionFigures {
  readonly delivery: { readonly packets: DeliveryFigures; readonly bytes: DeliveryFigures }
}

/** `figures`: the ledger's by direction, where somebody has them already. */
export function nodeTotals(
  { edges, ledger, delivery }: Books,
  figures = directions.map(direction => ledger.figures(direction)),
): NodeTotals {
  const sum = zeroFigures()
  for (const each of figures) addFigures(sum, each)
  return { ...sum, delivery: deliveryFigures(ledger.totals, edges.totals(), delivery) }
}
