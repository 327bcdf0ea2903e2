// The series of `podweir.network.inter_zone.bytes` for one receiver.
import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import type { Place } from '../aggregate/identity.ts'
import type { ZoneCrossing, ZoneTable } from '../aggregate/zone-table.ts'
import { attribute, endAttributes, placeAttributes } from './attribute-names.ts'
import { oneEnd } from './edge-attributes.ts'
import { edgeMetric } from './edge-metrics.ts'
import { metricData, type Points } from './metric-data.ts'
import type { Moment, Series, SeriesWriter } from './series.ts'

const source = { end: endAttributes('source'), place: placeAttributes('source') }
const destination = { end: endAttributes('destination'), place: placeAttributes('destination') }

export class ZoneSeries {
  readonly #zones: ZoneTable
  readonly #writer: SeriesWriter
  /** Index as in `ZoneTable.crossings`. */
  readonly #series: Series[] = []

  constructor(zones: ZoneTable, writer: SeriesWriter) {
    this.#zones = zones
    this.#writer = writer
  }

  collect(moment: Moment): MetricData[] {
    const points: Points = []
    for (const [i, crossing] of this.#zones.crossings.entries()) {
      if (!crossing) continue
      this.#series[i] ??= this.#writer.begin(attributesOf(crossing), this.#zones.starts[i]!)
      this.#writer.write(points, this.#series[i], this.#zones.values[i]!, moment)
    }
    return [metricData(edgeMetric.interZone, points)]
  }
}

function attributesOf(crossing: ZoneCrossing): Attributes {
  if (crossing.overflow) return { [attribute.overflow]: true }
  return {
    ...oneEnd(source.end, crossing.source),
    ...oneEnd(destination.end, crossing.destination),
    ...onePlace(source.place, crossing.from),
    ...onePlace(destination.place, crossing.to),
  }
}

function onePlace(keys: ReturnType<typeof placeAttributes>, { zone, region }: Place): Attributes {
  return {
    ...(zone !== undefined && { [keys.zone]: zone }),
    ...(region !== undefined && { [keys.region]: region }),
  }
}
