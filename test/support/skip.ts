// Leaving a test out, with the reason in words. No test is skipped in another way.
import type { Context, Test } from 'mocha'

/** Written beside the test by `skip`, read by the reporter. */
export interface Skippable {
  skipReason?: string
}

/** In a test, in `beforeEach` (this test) or in `before` (the whole suite): `skip(this, 'needs tcx, Linux 6.6')`. */
export function skip(context: Context, reason: string): never {
  const runnable = context.test
  // mocha's hooks have no mark but their title.
  const hook = /^"(before|after) (all|each)" hook/.exec(runnable?.title ?? '')
  if (!hook) label(runnable as Test, reason)
  else if (hook[2] === 'each') label(context.currentTest as Test, reason)
  else runnable?.parent?.eachTest(test => label(test, reason))
  context.skip()
  throw new Error('mocha went on after skip()')
}

/** The reason of a test, or undefined when it was left out without one (`it.skip`, `it('…')`). */
export function skipReason(test: Test): string | undefined {
  return (test as Skippable).skipReason
}

function label(test: Test, reason: string): void {
  ;(test as Skippable).skipReason = reason
  test.title = `${test.title} (skipped: ${reason})`
}
