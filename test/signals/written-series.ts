// A writer of series whose clock the test moves, and what a receiver is told.
import { defaultMetricForm, type MetricForm } from '../../lib/config/metric-form.ts'
import type { Collection } from '../../lib/signals/collection.ts'
import { SeriesWriter } from '../../lib/signals/series.ts'
import { ToldPoints } from './told-points.ts'

export function seriesWriter(form: Partial<MetricForm> = {}, sinceMs = 0) {
  const now = { ms: 1000 }
  const clock = { nowMs: () => now.ms, monotonicMs: () => now.ms }
  const writer = new SeriesWriter({ form: { ...defaultMetricForm, ...form }, clock, sinceMs })
  /** What is told, of which the receiver takes all, or nothing. */
  const tell = (walk: () => void, isTaken = true): string[] => {
    const collection = writer.collect(walk)
    const lines = linesOf(collection)
    if (isTaken) collection.acknowledge(0, collection.length)
    return lines
  }
  return { now, writer, tell }
}

export function linesOf(collection: Collection): string[] {
  const told = new ToldPoints()
  collection.writeAll(told)
  return told.lines
}
