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

export function nodeTotals({ edges, ledger, delivery }: Books): NodeTotals {
  const sum = zeroFigures()
  for (const direction of directions) addFigures(sum, ledger.figures(direction))
  return { ...sum, delivery: deliveryFigures(ledger.totals, edges.totals(), delivery) }
}
