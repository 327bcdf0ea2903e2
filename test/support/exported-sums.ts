// What a file exporter wrote over the lives of several agents, added up as a backend would.
import type { OtlpPoint, OtlpRequest } from './collector.ts'
import { pointsOf, requestsIn } from './exported-points.ts'

export class ExportedSums {
  readonly #requests: OtlpRequest[]

  constructor(text: string) {
    this.#requests = requestsIn(text)
  }

  /** The last value of each series under each start time, added up. */
  total(metric: string): number {
    return sumOfLast(pointsOf(this.#requests, metric))
  }

  /** What the last request added to `total`. */
  newInLastRequest(metric: string): number {
    return this.total(metric) - sumOfLast(pointsOf(this.#requests.slice(0, -1), metric))
  }

  /** Of the only series with this direction. */
  newest(metric: string, direction: string): number {
    const points = this.#points(metric).filter(({ attributes }) =>
      attributes?.some(({ key, value }) => key === 'network.io.direction' && value.stringValue === direction),
    )
    const series = new Set(points.map(keyOf))
    if (series.size !== 1) throw new Error(`${series.size} series of ${metric} ${direction}: ${[...series].join('\n')}`)
    return Number(points.at(-1)!.asInt)
  }

  /** Each time that one of its series has less than in a request before: what, from and to. */
  falls(metric: string): string[] {
    const newest = new Map<string, number>()
    return this.#points(metric).flatMap(point => {
      const value = Number(point.asInt)
      const before = newest.get(keyOf(point)) ?? 0
      newest.set(keyOf(point), value)
      return value < before ? [`${keyOf(point)}: ${before}, ${value}`] : []
    })
  }

  #points(metric: string): OtlpPoint[] {
    return pointsOf(this.#requests, metric)
  }
}

function sumOfLast(points: readonly OtlpPoint[]): number {
  const last = new Map<string, number>()
  for (const point of points) last.set(keyOf(point), Number(point.asInt))
  return [...last.values()].reduce((sum, value) => sum + value, 0)
}

function keyOf({ startTimeUnixNano, attributes }: OtlpPoint): string {
  return `${startTimeUnixNano} ${JSON.stringify(attributes)}`
}
