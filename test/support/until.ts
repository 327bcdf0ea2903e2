// Waits for a condition, and never for a time alone.
import { setTimeout as sleep } from 'node:timers/promises'

export interface UntilOptions {
  readonly limitMs?: number
  readonly everyMs?: number
}

/** Fails, with what it waited for, when the condition does not hold in time. */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  { limitMs = 10_000, everyMs = 5 }: UntilOptions = {},
): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`not within ${limitMs} ms: ${typeof what === 'string' ? what : what()}`)
    await sleep(everyMs)
  }
}
