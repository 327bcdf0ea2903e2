// How often properties are tried, and with which values: the same ones each time, unless PODWEIR_SEED asks for others.

const seed = Number(process.env.PODWEIR_SEED ?? 1)

export function tried(numRuns: number): { readonly seed: number; readonly numRuns: number } {
  return { seed, numRuns }
}
