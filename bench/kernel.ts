// Nanoseconds per packet of our programs, dispatcher included, beside three tables that others count in.
// Net of an empty program behind the same wrapper, so that the test run's own cost is in none of them.

import type { ProgramInfo } from '../lib/capture/native-probe.ts'
import { Namespaces } from '../test/support/namespaces.ts'
import { COURSES, type Course, IN_ORDER, MANY, NEW_FLOWS } from './course.ts'
import { BASELINE, measureLoad } from './kernel-harness.ts'
import { benchOptions, type Limit, publish, type Result } from './report.ts'
import { Samples } from './samples.ts'

/** Which pages a table got decides as much as how it is built: each load gets others. */
const ROUNDS_PER_LOAD = 4
const LIMITS: Limit[] = [
  { ratio: `podweir, ${IN_ORDER}`, most: 0.8 },
  { ratio: `podweir, ${MANY}`, most: 0.8 },
]

function addCourse({ name, by }: Course, samples: Samples, into: { results: Results; ratios: Ratios }): void {
  for (const variant of samples.variants) {
    if (variant === 'empty') into.results[`empty, ${name} (in no other row)`] = samples.gross(variant)
    else into.results[`${variant}, ${name}`] = samples.net(variant)
    if (variant === 'empty' || variant === BASELINE || !samples.has(BASELINE)) continue
    into.ratios[`${variant}, ${name}`] =
      by === 'minimum' ? samples.ratioOfMinima(variant, BASELINE) : samples.medianRatio(variant, BASELINE)
  }
}

type Results = Record<string, Result>
type Ratios = Record<string, number>

const options = benchOptions({ full: 48, quick: 4 })
const namespaces = new Namespaces('pwbench')
try {
  const { a } = await namespaces.createPair()
  const measured = new Map<Course, Samples>([...COURSES, ...NEW_FLOWS].map(course => [course, new Samples()]))
  let programs: readonly ProgramInfo[] = []
  for (let done = 0; done < options.rounds; done += ROUNDS_PER_LOAD)
    programs = await measureLoad(a.path, Math.min(ROUNDS_PER_LOAD, options.rounds - done), measured)
  const results: Results = {}
  const ratios: Ratios = {}
  for (const [course, samples] of measured) addCourse(course, samples, { results, ratios })
  const verified = Object.fromEntries(programs.map(({ name, verifiedInstructions }) => [name, verifiedInstructions]))
  const report = { name: 'kernel', unit: 'ns per packet', rounds: options.rounds, results, ratios }
  publish({ ...report, notes: { 'verified instructions': verified } }, LIMITS, options)
} finally {
  await namespaces.remove()
}
