// What every bench prints: a table for people, or with --json one object; with --check the limits decide the exit code.
import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly json: boolean
  readonly check: boolean
  readonly quick: boolean
  readonly rounds: number
}

export interface Result {
  readonly min: number
  readonly median: number
}

/** `ratio` of the report's ratios must not be above (`most`) or below (`least`) a number. */
export interface Limit {
  readonly ratio: string
  readonly most?: number
  readonly least?: number
}

export interface Report {
  readonly name: string
  readonly unit: string
  readonly rounds: number
  readonly results: Readonly<Record<string, Result>>
  readonly ratios: Readonly<Record<string, number>>
  /** Numbers beside the measured ones. */
  readonly notes?: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export function benchOptions(rounds: { full: number; quick: number }): BenchOptions {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
    },
  })
  const count = values.rounds === undefined ? (values.quick ? rounds.quick : rounds.full) : Number(values.rounds)
  if (!Number.isInteger(count) || count < 1) throw new Error(`--rounds ${values.rounds}: give a whole number above 0`)
  return { json: values.json, check: values.check, quick: values.quick, rounds: count }
}

/** Every variant once a round, so that a neighbour's noise meets all of them. */
export async function interleave(
  rounds: number,
  variants: Readonly<Record<string, () => number | Promise<number>>>,
): Promise<Record<string, number[]>> {
  const samples: Record<string, number[]> = {}
  for (let round = 0; round < rounds; round++)
    for (const [variant, measure] of Object.entries(variants)) {
      samples[variant] ??= []
      samples[variant].push(await measure())
    }
  return samples
}

export function resultOf(samples: readonly number[]): Result {
  const sorted = samples.toSorted((a, b) => a - b)
  return { min: sorted[0]!, median: sorted[sorted.length >> 1]! }
}

/** Prints the report and sets the exit code: 1 when --check finds a limit broken. */
export function publish(report: Report, limits: readonly Limit[], options: BenchOptions): void {
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else process.stdout.write(tableOf(report, limits))
  if (!options.check) return
  for (const limit of limits) {
    if (holds(limit, report)) continue
    process.stderr.write(`${report.name}: ${limit.ratio} is ${format(report.ratios[limit.ratio]!)}, ${words(limit)}\n`)
    process.exitCode = 1
  }
}

function holds(limit: Limit, report: Report): boolean {
  const ratio = report.ratios[limit.ratio]
  return ratio !== undefined && ratio <= (limit.most ?? Infinity) && ratio >= (limit.least ?? -Infinity)
}

function words(limit: Limit): string {
  return limit.most === undefined ? `limit: at least ${limit.least}` : `limit: at most ${limit.most}`
}

function tableOf(report: Report, limits: readonly Limit[]): string {
  const rows = Object.entries(report.results).map(([name, { min, median }]) => [name, format(min), format(median)])
  const ratios = Object.entries(report.ratios).map(([name, ratio]) => {
    const limit = limits.find(candidate => candidate.ratio === name)
    return [name, format(ratio), limit ? words(limit) : '']
  })
  const head = `${report.name}, ${report.unit}, ${report.rounds} rounds`
  const notes = Object.entries(report.notes ?? {}).flatMap(([title, numbers]) => [
    '',
    ...columns([[title, ''], ...Object.entries(numbers).map(([name, value]) => [name, String(value)])]),
  ])
  const body = [...columns([['', 'min', 'median'], ...rows]), '', ...columns([['ratio', '', ''], ...ratios]), ...notes]
  return [head, ...body, ''].join('\n')
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(row => row[0]!.length))
  return rows.map(([name, a = '', b = '']) => `  ${name!.padEnd(width)}  ${a.padStart(10)}  ${b}`.trimEnd())
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
