// The receipt for people: three blocks, one line per interface and direction.
import type { DirectionFigures } from '../aggregate/figures.ts'
import { classesHold, countedClasses, deviceHolds, wireHolds } from '../aggregate/figures.ts'
import { type DeliveryFigures, deliveryHolds } from './delivery.ts'
import type { Receipt } from './receipt.ts'

const deviceTerms = ['device', 'overseen', 'seen', 'unobserved', 'unexplained'] as const
const wireTerms = ['seen', 'flow', 'collapsed', 'other', 'overflow', 'filtered'] as const
const deliveryTerms = ['drained', 'exported', 'otherEnd', 'excluded', 'queued', 'lost', 'restart'] as const

export function receiptText(receipt: Receipt): string {
  return [
    ...block('1  device + overseen = seen + unobserved + unexplained   (skbs)', deviceLines(receipt)),
    ...block('2  seen = flow + collapsed + other + overflow + filtered', [
      ...wireLines(receipt),
      ...classLine(receipt),
    ]),
    ...block(
      '3  drained = exported + otherEnd + excluded + queued + lost + restart',
      table(
        ['', ...deliveryTerms, ''],
        [deliveryLine('packets', receipt.delivery), deliveryLine('bytes', receipt.deliveryBytes)],
      ),
    ),
    ...summary(receipt),
    '',
  ].join('\n')
}

function deviceLines(receipt: Receipt): string[] {
  const rows = named(receipt).map(({ name, direction, figures }) => [
    name,
    direction,
    ...deviceTerms.map(term => grouped(figures.skbs[term])),
    mark(deviceHolds(figures.skbs)),
  ])
  return table(['interface', 'direction', ...deviceTerms, ''], rows)
}

function wireLines(receipt: Receipt): string[] {
  const rows = named(receipt).flatMap(({ name, direction, figures }) =>
    (['packets', 'bytes'] as const).map(unit => [
      name,
      direction,
      unit,
      ...wireTerms.map(term => grouped(figures[unit][term])),
      mark(wireHolds(figures[unit]) && classesHold(figures[unit], figures.classes[unit])),
    ]),
  )
  return table(['interface', 'direction', 'unit', ...wireTerms, ''], rows)
}

/** What is no ordinary packet of a flow, in packets. */
function classLine({ total }: Receipt): string[] {
  const counted = countedClasses.filter(name => total.classes.packets[name] > 0)
  return counted.length === 0
    ? []
    : [`of them ${counted.map(name => `${name} ${grouped(total.classes.packets[name])}`).join(', ')}`]
}

function deliveryLine(unit: string, figures: DeliveryFigures): string[] {
  const delivered = deliveryHolds(figures) && figures.queued === 0
  return [unit, ...deliveryTerms.map(term => grouped(figures[term])), mark(delivered)]
}

function summary(receipt: Receipt): string[] {
  const { balanced, flows, firstNamedFlowSeconds, program } = receipt
  const first =
    firstNamedFlowSeconds === null ? 'none named' : `first named after ${firstNamedFlowSeconds.toFixed(1)} s`
  return [
    `${grouped(flows.count)} flows, ${grouped(flows.named)} with both ends named, ${first}`,
    `${program.nanosecondsPerPacket} ns a program run, ${grouped(program.runs)} runs, one per skb (caches are cold on a machine that idles: docs/performance.md)`,
    balanced ? '✔ every packet is accounted for' : '✖ the books do not balance',
  ]
}

function named(receipt: Receipt): { name: string; direction: string; figures: DirectionFigures }[] {
  const rows = receipt.interfaces.map(row => ({
    name: `${row.pod} ${row.interface}`,
    direction: row.direction as string,
    figures: row as DirectionFigures,
  }))
  return [...rows, { name: 'total', direction: '', figures: receipt.total }]
}

function block(title: string, lines: string[]): string[] {
  return [title, ...lines.map(line => `   ${line}`), '']
}

/** Words to the left, numbers to the right. */
function table(header: readonly string[], rows: readonly string[][]): string[] {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  return lines.map(line =>
    line
      .map((cell, column) => pad(cell, rows, column, widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

function pad(cell: string, rows: readonly string[][], column: number, width: number): string {
  const isNumber = rows.every(row => /^-?[\d,]+$/.test(row[column]!))
  return isNumber ? cell.padStart(width) : cell.padEnd(width)
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

function mark(holds: boolean): string {
  return holds ? '✔' : '✖'
}
