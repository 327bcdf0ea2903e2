// Puts what a test measured behind its title, so that a run that passes says it too.
import type { Context } from 'mocha'

/** `show(this, 'kernel 31, Podweir 31')`. */
export function show({ test }: Context, figures: string): void {
  if (test) test.title = `${test.title}: ${figures}`
}
