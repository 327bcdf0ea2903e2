// HTTP's Retry-After: a number of seconds, or a date.

/** undefined: it says nothing that can be used. `date`: the answer's own time, so that clocks that differ do no harm. */
export function retryAfterMs(value: string | undefined, date: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000
  const atMs = Date.parse(value)
  if (Number.isNaN(atMs)) return undefined
  const saidMs = date === undefined ? Number.NaN : Date.parse(date)
  return Math.max(0, atMs - (Number.isNaN(saidMs) ? nowMs : saidMs))
}
