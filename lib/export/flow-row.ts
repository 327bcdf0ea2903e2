// A flow as one line for people: names at both ends, amounts, and what is wrong with it.
import { styleText } from 'node:util'
import { printable } from '../encode/printable.ts'
import type { End, FlowRecord, TcpRecord } from '../signals/flow-record.ts'

export interface RowLayout {
  /** Width of each of the two names; longer ones are shortened in the middle. */
  readonly nameWidth: number
  readonly shorten: boolean
  readonly hasRtt: boolean
  /** Retransmits and problems have columns of their own; otherwise a problem stands in place of the state. */
  readonly isWide: boolean
  /** Of the last column, which has what may be long. */
  readonly lastWidth: number
}

type Colour = 'cyan' | 'red' | 'dim'

const arrow = '  →  '
const widths = { time: 10, protocol: 9, sent: 9, received: 10, rtt: 9, retransmits: 9, state: 13 }
const names = { least: 12, most: 44, unlimited: 30 }
/** From so many columns on there is room for more, and so much of it is kept for what is wrong. */
const middle = { columns: 100, lastWidth: 18 }
const wide = { columns: 140, lastWidth: 22 }
const narrowLastWidth = 12
const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** Without a width (output to a file or a pipe) nothing is left out or shortened. */
export function rowLayout(columns: number | undefined): RowLayout {
  if (columns === undefined) {
    const lastWidth = Number.POSITIVE_INFINITY
    return { nameWidth: names.unlimited, shorten: false, hasRtt: true, isWide: true, lastWidth }
  }
  const isWide = columns >= wide.columns
  const hasRtt = columns >= middle.columns
  const least = isWide ? wide.lastWidth : hasRtt ? middle.lastWidth : narrowLastWidth
  const fixed =
    arrow.length +
    (widths.time + widths.protocol + widths.sent + widths.received) +
    (hasRtt ? widths.rtt : 0) +
    (isWide ? widths.retransmits + widths.state : 0)
  const nameWidth = Math.max(names.least, Math.min(names.most, Math.floor((columns - fixed - least) / 2)))
  return { nameWidth, shorten: true, hasRtt, isWide, lastWidth: Math.max(least, columns - fixed - 2 * nameWidth) }
}

export function headerRow({ nameWidth, hasRtt, isWide }: RowLayout): string {
  const cells = [
    'TIME'.padEnd(widths.time),
    'SOURCE'.padEnd(nameWidth),
    ' '.repeat(arrow.length),
    'DESTINATION'.padEnd(nameWidth),
    '  PROTO'.padEnd(widths.protocol),
    'SENT'.padEnd(widths.sent),
    'RECEIVED'.padEnd(widths.received),
    hasRtt ? 'RTT'.padEnd(widths.rtt) : '',
    isWide ? 'RETRANS'.padEnd(widths.retransmits) + 'STATE'.padEnd(widths.state) : '',
    isWide ? 'PROBLEMS' : 'STATE',
  ]
  return cells.join('')
}

/** Times are UTC. Colours where `out` is a terminal that shows them; NO_COLOR is obeyed. */
export function flowRow(record: FlowRecord, layout: RowLayout, out: NodeJS.WritableStream): string {
  const { hasRtt, isWide } = layout
  const paint = (colour: Colour, text: string) => styleText(colour, text, { stream: out })
  const name = (text: string) => paint('cyan', padded(text, layout))
  const state = stateText(record)
  const problems = printable(record.problems.join(', '))
  const last = shortened(problems ? `✖ ${problems}` : isWide ? '' : state, layout.lastWidth)
  const cells = [
    record.time.slice(11, 19).padEnd(widths.time),
    name(endName(record.source, undefined)),
    arrow,
    name(endName(record.destination, record.destination.port)),
    `  ${printable(record.transport)}`.padEnd(widths.protocol),
    amount(record.requestBytes).padEnd(widths.sent),
    amount(record.responseBytes).padEnd(widths.received),
    hasRtt ? rttText(record.tcp).padEnd(widths.rtt) : '',
    isWide ? retransmitsText(record.tcp).padEnd(widths.retransmits) : '',
    isWide ? paint('dim', state.padEnd(widths.state)) : '',
    paint(problems ? 'red' : 'dim', last),
  ]
  return cells.join('').trimEnd()
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

/** `85 µs`, `1.2 ms`, `340 ms`, `1.2 s`. */
export function seconds(value: number): string {
  for (const [unit, size] of [
    ['µs', 1e-6],
    ['ms', 1e-3],
  ] as const)
    if (value < 999.5 * size) return `${(value / size).toFixed(unit === 'µs' || value >= 99.5 * size ? 0 : 1)} ${unit}`
  return `${value.toFixed(value >= 99.5 ? 0 : 1)} s`
}

/** A connection's own state, until it has no slot any more. Who reset it is told by JSON. */
function stateText({ state, tcp }: FlowRecord): string {
  if (!tcp || state === 'parked') return state
  return tcp.state.startsWith('reset') ? 'reset' : tcp.state
}

function rttText(tcp: TcpRecord | undefined): string {
  return tcp?.rttSeconds === undefined ? '-' : seconds(tcp.rttSeconds)
}

function retransmitsText(tcp: TcpRecord | undefined): string {
  return tcp ? String(tcp.request.retransmitPackets + tcp.response.retransmitPackets) : '-'
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

function shortened(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}
