// The table of docs/kernels.md, row by row: what is said there must be what guests say.
import { readFileSync } from 'node:fs'

export interface Row {
  /** A fact, or what several facts begin with. */
  readonly subject: string
  readonly cells: readonly string[]
}

/** The first table, and which of its cells are about this kernel. */
export function documentedKernels(series: string): { rows: Row[]; column: number } {
  const text = readFileSync(new URL('../../docs/kernels.md', import.meta.url), 'utf8')
  const lines = text.split('\n')
  const first = lines.findIndex(line => line.startsWith('|'))
  const last = lines.findIndex((line, i) => i > first && !line.startsWith('|'))
  const [head, , ...body] = lines.slice(first, last).map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  )
  const rows = body.map(([subject, ...cells]) => ({ subject: subject!, cells }))
  return { rows, column: head!.indexOf(series) - 1 }
}
