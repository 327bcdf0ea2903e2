// What a run of tests came to: how many passed, and by name what failed.

export interface TestFailure {
  /** Of a check, or the full title of a test. */
  readonly title: string
  /** The first line of what was wrong. */
  readonly error: string
}

export interface TestOutcome {
  readonly passed: number
  readonly skipped: number
  /** Each is counted as one. */
  readonly failures: readonly TestFailure[]
}

export function sumOf(outcomes: readonly TestOutcome[]): TestOutcome {
  return {
    passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
    skipped: outcomes.reduce((sum, { skipped }) => sum + skipped, 0),
    failures: outcomes.flatMap(({ failures }) => failures),
  }
}

/** The last lines of a run, after the coverage: of a long log often nothing but the end is read. */
export function conclusion({ passed, skipped, failures }: TestOutcome): string {
  const named = failures.map(({ title, error }) => `failed: ${title}: ${error}\n`)
  return `${named.join('')}${passed} passed, ${failures.length} failed, ${skipped} skipped\n`
}

/** Of a message or of what a program said. */
export function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find(line => line.trim() !== '')
      ?.trim() ?? 'no reason given'
  )
}
