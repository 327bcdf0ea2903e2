// The attributes of what goes from one zone to another.
import type { Attributes } from '@opentelemetry/api'
import type { Place } from '../aggregate/identity.ts'
import type { ZoneCrossing } from '../aggregate/zone-table.ts'
import { attribute, endAttributes, placeAttributes } from './attribute-names.ts'
import { oneEnd } from './edge-attributes.ts'

const source = { end: endAttributes('source'), place: placeAttributes('source') }
const destination = { end: endAttributes('destination'), place: placeAttributes('destination') }

export function crossingAttributes(crossing: ZoneCrossing): Attributes {
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
