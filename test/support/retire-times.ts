// Retire times for tests that are about one of them, or about none.
import { RETIRE_TIMES, type RetireTimes } from '../../lib/capture/native-probe.ts'

/** Whatever a flow waits for, it leaves after this time; other times win where they are given. */
export function allAfter(ms: number, others: Partial<RetireTimes> = {}): RetireTimes {
  const times = Object.fromEntries(Object.keys(RETIRE_TIMES).map(name => [name, ms]))
  return { ...RETIRE_TIMES, ...times, ...others }
}
