// Whether the agent does what it is there for: enough interfaces attached, and the kernel's counts drained.
import { formatDuration } from '../config/duration.ts'
import { formatShare } from '../config/share.ts'
import type { TrackedInterface } from './tracked-interface.ts'

/** A drain that is late by this is not only slow. */
const LATE_INTERVALS = 5
const LATE_MS = 5_000

export interface ReadinessParts {
  readonly interfaces: Iterable<Pick<TrackedInterface, 'state' | 'reason'>>
  /** Share of the interfaces that are there. */
  readonly minAttached: number
  /** undefined: there was no drain yet. */
  readonly sinceDrainMs: number | undefined
  readonly drainIntervalMs: number
}

/** Empty: it is ready. */
export function notReady({ interfaces, minAttached, sinceDrainMs, drainIntervalMs }: ReadinessParts): string[] {
  const reasons: string[] = []
  const counts = new Map<string, number>()
  let present = 0
  let attached = 0
  for (const { state, reason } of interfaces) {
    // Nobody can attach to what isn't there: an inventory may name pods that come later.
    if (state === 'wanted' && reason === 'absent') continue
    present++
    if (state === 'attached' || state === 'degraded') {
      attached++
      continue
    }
    const what = [state, ...(reason === undefined ? [] : [reason])].join(' ')
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  if (attached < present * minAttached) {
    const others = [...counts].map(([what, count]) => `${count} ${what}`).join(', ')
    reasons.push(`attached to ${attached} of ${present} interfaces, less than ${formatShare(minAttached)}: ${others}`)
  }
  if (sinceDrainMs === undefined) reasons.push('nothing has been drained from the kernel yet')
  else if (sinceDrainMs > Math.max(LATE_MS, LATE_INTERVALS * drainIntervalMs))
    reasons.push(`nothing was drained from the kernel for ${formatDuration(Math.round(sinceDrainMs / 1000) * 1000)}`)
  return reasons
}
