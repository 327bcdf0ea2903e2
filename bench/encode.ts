// What it costs to encode, beside OpenTelemetry's own serializer with the same points and spans.
import { metricEncoders, POINTS } from './encode-metrics.ts'
import { SPANS, spanEncoders } from './encode-spans.ts'
import { benchOptions, interleave, type Limit, publish, type Result, resultOf } from './report.ts'

const options = benchOptions({ full: 40, quick: 8 })
const METRICS_MS = 40
/** Less would not be what was to be encoded. */
const LEAST_BYTES = 300

function timed(encode: () => number, items: number): () => number {
  return () => {
    const startMs = performance.now()
    const bytes = encode()
    const tookMs = performance.now() - startMs
    if (bytes < items * LEAST_BYTES) throw new Error(`${bytes} bytes for ${items} items`)
    return tookMs
  }
}

function pair(what: string, items: number, encoders: { ours: () => number; official: () => number }) {
  return interleave(options.rounds, {
    [what]: timed(encoders.ours, items),
    [`${what}, official`]: timed(encoders.official, items),
  })
}

const samples = {
  ...(await pair(`${SPANS} spans`, SPANS, spanEncoders())),
  ...(await pair(`${POINTS} points`, POINTS, metricEncoders())),
}
const results: Record<string, Result> = Object.fromEntries(
  Object.entries(samples).map(([name, each]) => [name, resultOf(each)]),
)
const points = results[`${POINTS} points`]!
const officialPoints = results[`${POINTS} points, official`]!
const officialSpans = samples[`${SPANS} spans, official`]!
const rounds = officialSpans.map((tookMs, round) => tookMs / samples[`${SPANS} spans`]![round]!)
const ratios = {
  'spans, official / podweir': resultOf(rounds).median,
  // An encoder has a floor, and what is above it is the machine's other work.
  'points, official / podweir, of the minima': officialPoints.min / points.min,
  [`${POINTS} points, the minimum / ${METRICS_MS} ms`]: points.min / METRICS_MS,
}
const [spansRatio, pointsRatio, timeRatio] = Object.keys(ratios) as [string, string, string]
const limits: Limit[] = [
  { ratio: spansRatio, least: 5 },
  { ratio: pointsRatio, least: 20 },
  { ratio: timeRatio, most: 1 },
]
publish({ name: 'encode', unit: 'ms', rounds: options.rounds, results, ratios }, limits, options)
