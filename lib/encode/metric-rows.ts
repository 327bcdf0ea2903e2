// Metrics as Influx line protocol by the profile `netapp`: a line has all fields of one thing and moment that are in the
// same request. Histograms become a count and a mean, because its charts draw numbers.
import type { AttributeSet, SignalResource } from '../signals/attribute-set.ts'
import { isWhole, type Metric } from '../signals/metric-names.ts'
import type { HistogramValue } from '../signals/metric-sink.ts'
import type { EncodedRequest } from './encoded-request.ts'
import { kept } from './kept-forms.ts'
import { floatText, integerText, nanosecondsText } from './line-protocol.ts'
import { tag } from './line-tags.ts'
import type { MetricEncoder } from './metric-encoder.ts'
import { ALONE, netappTags, plainKey, type Row, rowOf } from './netapp-names.ts'

/** How a set was written last: with which resource, and from which end. */
interface SetTags {
  readonly resource: SignalResource
  readonly straight?: string
  readonly swapped?: string
}

interface Place {
  readonly head: string
  /** The value of what stands beside the point's own attributes. */
  readonly field: string
}

export class MetricRowsEncoder implements MetricEncoder {
  /** Fields by what stands before them, and by time. */
  readonly #lines = new Map<string, Map<number, string>>()
  #bytes = 0
  #items = 0
  #resource: SignalResource | undefined
  #metric: Metric | undefined
  #row: Row | undefined
  #measurement = ''

  get bytes(): number {
    return this.#bytes
  }

  get items(): number {
    return this.#items
  }

  resource(resource: SignalResource): void {
    this.#resource = resource
  }

  metric(metric: Metric): void {
    this.#metric = metric
    this.#row = rowOf(metric)
    this.#measurement = this.#row?.measurement ?? `podweir_${plainKey(metric.name)}`
  }

  number(base: AttributeSet, more: AttributeSet | undefined, _startMs: number, timeMs: number, value: number): void {
    const text = isWhole(this.#metric!) ? integerText(value) : floatText(value)
    const { head, field } = this.#placeOf(base, more)
    this.#add(head, timeMs, text && `${field || 'value'}=${text}`)
  }

  histogram(
    base: AttributeSet,
    more: AttributeSet | undefined,
    _startMs: number,
    timeMs: number,
    { count, sum }: HistogramValue,
  ): void {
    const { head, field } = this.#placeOf(base, more)
    const prefix = field === ALONE ? '' : `${field}_`
    const mean = count > 0 ? `,${prefix}ms=${floatText((sum / count) * 1000) ?? 0}` : ''
    this.#add(head, timeMs, `${prefix}count=${integerText(count)}${mean}`)
  }

  /** The protocol has no word for it. */
  ended(): void {
    this.#items++
  }

  finish(): EncodedRequest {
    const lines: string[] = []
    for (const [head, byTime] of this.#lines)
      for (const [timeMs, fields] of byTime) lines.push(`${head} ${fields} ${nanosecondsText(timeMs)}\n`)
    const request = { signal: 'metrics', body: Buffer.from(lines.join('')), items: this.#items } as const
    this.#lines.clear()
    this.#bytes = 0
    this.#items = 0
    return request
  }

  #add(head: string, timeMs: number, fields: string | undefined): void {
    this.#items++
    // What is no number has no place in a field.
    if (fields === undefined) return
    const byTime = this.#lines.get(head) ?? new Map<number, string>()
    const before = byTime.get(timeMs)
    this.#lines.set(head, byTime.set(timeMs, before === undefined ? fields : `${before},${fields}`))
    this.#bytes += fields.length + 1 + (before === undefined ? head.length + LENGTH_OF_TIME : 0)
  }

  #placeOf(base: AttributeSet, more: AttributeSet | undefined): Place {
    const value = more ? String(Object.values(more.attributes)[0]) : ALONE
    const field = this.#row?.fields.get(value)
    const isSwapped = field !== undefined && value === 'response'
    const tags = this.#tagsOf(base, isSwapped)
    if (field !== undefined || !more) return { head: this.#measurement + tags, field: field ?? ALONE }
    return { head: this.#measurement + tags + textOf(netappTags(more.attributes, false)), field: ALONE }
  }

  #tagsOf(base: AttributeSet, isSwapped: boolean): string {
    const resource = this.#resource!
    const side = isSwapped ? 'swapped' : 'straight'
    const found = base.encoded[kept.netappTags] as SetTags | undefined
    const known = found?.resource === resource ? found : undefined
    if (known?.[side] !== undefined) return known[side]
    const own = netappTags(base.attributes, isSwapped)
    const text = textOf(new Map([...resourceTags(resource), ...own]))
    base.encoded[kept.netappTags] = { resource, ...known, [side]: text }
    return text
  }
}

const LENGTH_OF_TIME = 22

function resourceTags({ set }: SignalResource): Map<string, string> {
  const tags = netappTags(set.attributes, false)
  const host = tags.get('host_name')
  tags.delete('host_name')
  if (host !== undefined && !tags.has('node_name')) tags.set('node_name', host)
  return tags
}

/** In one order, whoever is at which end: so that they are the same text. */
function textOf(tags: ReadonlyMap<string, string>): string {
  return [...tags]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => tag(key, value))
    .join('')
}
