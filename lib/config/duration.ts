// Durations as the Collector writes them: `500ms`, `10s`, `2m`, `1h30m`.

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Whole milliseconds; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) ms += Number(amount) * unitMs[unit!]!
  const whole = Math.round(ms)
  return Math.abs(ms - whole) < 1e-6 ? whole : undefined
}

export function durationBetween(value: string, leastMs: number, mostMs: number): number | undefined {
  const ms = parseDuration(value)
  return ms === undefined || ms < leastMs || ms > mostMs ? undefined : ms
}

export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    if (ms > 0 && ms % unitMs[unit]! === 0) return `${ms / unitMs[unit]!}${unit}`
  }
  return `${ms}ms`
}
