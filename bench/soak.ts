// A soak as long as one likes: `--packets 100M`, a fifth of them over live veths. Prints every term of the ledger, and
// ends with exit code 1 when one packet is in no place or in two.
import { parseArgs } from 'node:util'
import { packetClasses } from '../lib/capture/flow-batch.ts'
import { unaccounted } from '../test/support/conservation.ts'
import { type SoakResult, soak } from '../test/support/soak.ts'

const LIVE_SHARE = 0.2
const PACKETS_PER_CYCLE = 10e6

function parseAmount(text: string): number {
  const parts = /^(\d+)([kMG]?)$/.exec(text)
  if (!parts) throw new Error(`--packets ${text}: give a whole number, with k, M or G behind it if you like`)
  return Number(parts[1]) * { '': 1, k: 1e3, M: 1e6, G: 1e9 }[parts[2] as '' | 'k' | 'M' | 'G']
}

function termsOf({ sum, ...result }: SoakResult, seconds: number): [string, number, number?][] {
  const classes = packetClasses
    .map((name, i): [string, number, number] => [`class ${name}`, sum.classes[i]!.packets, sum.classes[i]!.bytes])
    .filter(([name]) => name !== 'class flow')
  const missing = unaccounted(sum)
  return [
    ['seconds', Math.round(seconds)],
    ['skbs across live veths', result.liveSkbs],
    ['runs of dispatchers', result.runs],
    ['interfaces', result.interfaces],
    ['flows started', result.flowsStarted],
    ['flows retired', result.flowsEnded],
    ['of the started ones collapsed', result.flowsCollapsed],
    ['drains', result.drains],
    ['self-audits', result.audits],
    ['skbs seen', sum.skbs],
    ['seen', sum.seen.packets, sum.seen.bytes],
    ['flow', sum.flow.packets, sum.flow.bytes],
    ['collapsed', sum.collapsed.packets, sum.collapsed.bytes],
    ['other', sum.other.packets, sum.other.bytes],
    ['overflow', sum.overflow.packets, sum.overflow.bytes],
    ['filtered', sum.filtered.packets, sum.filtered.bytes],
    ...classes,
    ['unaccounted', missing.packets, missing.bytes],
  ]
}

function tableOf(terms: readonly [string, number, number?][]): string {
  const column = (value: number | undefined) => (value === undefined ? '' : String(value)).padStart(16)
  const lines = terms.map(([name, packets, bytes]) =>
    `  ${name.padEnd(30)}${column(packets)}${column(bytes)}`.trimEnd(),
  )
  return [`soak${''.padEnd(28)}${'packets'.padStart(16)}${'bytes'.padStart(16)}`, ...lines, ''].join('\n')
}

const { values } = parseArgs({
  options: { packets: { type: 'string', default: '100M' }, json: { type: 'boolean', default: false } },
})
const packets = parseAmount(values.packets)
const target = { liveSkbs: packets * LIVE_SHARE, runs: packets * (1 - LIVE_SHARE) }
const tell = (sentence: string) => process.stderr.write(`${sentence}\n`)
const before = performance.now()
const result = await soak(target, Math.max(1, Math.round(packets / PACKETS_PER_CYCLE)), tell)
const seconds = (performance.now() - before) / 1000
if (values.json) process.stdout.write(`${JSON.stringify({ name: 'soak', seconds, ...result })}\n`)
else process.stdout.write(tableOf(termsOf(result, seconds)))
for (const gap of result.gaps) process.stderr.write(`${gap}\n`)
if (result.gaps.length > 0) process.exitCode = 1
