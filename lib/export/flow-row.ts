// A flow as one line for people: names at both ends, amounts, and what is wrong with it.
import { styleText } from 'node:util'
import type { End, FlowRecord } from '../signals/flow-record.ts'
import { printable } from './printable.ts'

export interface RowLayout {
  /** Width of each of the two names; longer ones are shortened in the middle. */
  readonly nameWidth: number
  readonly shorten: boolean
}

type Colour = 'cyan' | 'red' | 'dim'

const otherColumnsWidth = 55
const names = { least: 12, most: 44, unlimited: 30 }
const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** Without a width (output to a file or a pipe) no name is shortened. */
export function rowLayout(columns: number | undefined): RowLayout {
  if (columns === undefined) return { nameWidth: names.unlimited, shorten: false }
  const room = Math.floor((columns - otherColumnsWidth) / 2)
  return { nameWidth: Math.max(names.least, Math.min(names.most, room)), shorten: true }
}

export function headerRow({ nameWidth }: RowLayout): string {
  const [source, destination] = ['SOURCE'.padEnd(nameWidth), 'DESTINATION'.padEnd(nameWidth)]
  return `TIME      ${source}     ${destination}  PROTO  SENT     RECEIVED  STATE`
}

/** Times are UTC. Colours where `out` is a terminal that shows them; NO_COLOR is obeyed. */
export function flowRow(record: FlowRecord, layout: RowLayout, out: NodeJS.WritableStream): string {
  const paint = (colour: Colour, text: string) => styleText(colour, text, { stream: out })
  const name = (text: string) => paint('cyan', padded(text, layout))
  const problem = problemOf(record)
  const cells = [
    `${record.time.slice(11, 19)}  `,
    name(endName(record.source, undefined)),
    '  →  ',
    name(endName(record.destination, record.destination.port)),
    `  ${printable(record.transport).padEnd(5)}  `,
    `${amount(record.requestBytes).padEnd(7)}  `,
    `${amount(record.responseBytes).padEnd(8)}  `,
    problem ? paint('red', `✖ ${problem}`) : paint('dim', record.state),
  ]
  return cells.join('')
}

/** What the network did not do; undefined when nothing is wrong that packets show. */
export function problemOf(record: FlowRecord): string | undefined {
  const answerDue = record.transport === 'tcp' || (record.transport === 'icmp' && record.confidence === 'handshake')
  if (answerDue && record.responsePackets === 0) return 'no reply'
  const sawSyn = record.transport === 'tcp' && record.confidence === 'handshake'
  return sawSyn && record.opened === 0 ? 'not opened' : undefined
}

/** The most telling name there is, safe for a terminal. */
export function endName(end: End, port: number | undefined): string {
  const name = end.pod ?? end.service ?? end.workload
  const bare =
    name === undefined ? (configuredName(end) ?? end.address) : [end.namespace, name].filter(Boolean).join('/')
  if (!port) return printable(bare)
  return printable(bare.includes(':') ? `[${bare}]:${port}` : `${bare}:${port}`)
}

/** Three significant digits, in units of 1,000. */
export function amount(bytes: number): string {
  let [value, unit] = [bytes, 0]
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  const decimals = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(decimals)} ${units[unit]}`
}

/** A class of addresses is no name: the address says more. */
function configuredName({ name }: End): string | undefined {
  return name === 'external' || name === 'unknown' || name === 'node' ? undefined : name
}

function padded(text: string, { nameWidth, shorten }: RowLayout): string {
  if (text.length <= nameWidth || !shorten) return text.padEnd(nameWidth)
  const tail = Math.floor((nameWidth - 1) / 2)
  return `${text.slice(0, nameWidth - 1 - tail)}…${text.slice(text.length - tail)}`
}
