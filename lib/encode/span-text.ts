// Spans for people, on a terminal.
import type { SpanRecord } from '../signals/span-record.ts'
import { attributesText, textBody, timeText, type Verbosity } from './attribute-text.ts'
import type { EncodedRequest, EventEncoder } from './encoded-request.ts'
import { printable } from './printable.ts'

export class SpanTextEncoder implements EventEncoder<SpanRecord> {
  readonly #verbosity: Verbosity

  constructor(verbosity: Verbosity) {
    this.#verbosity = verbosity
  }

  encode(spans: readonly SpanRecord[]): EncodedRequest[] {
    const last = spans.at(-1)
    if (!last) return []
    const lines =
      this.#verbosity === 'basic'
        ? [`${timeText(last.endMs)} spans: ${spans.length}`]
        : spans.flatMap(this.#verbosity === 'normal' ? spanLine : spanLines)
    return [{ signal: 'traces', body: textBody(lines), items: spans.length }]
  }
}

function spanLine({ kind, name, startMs, endMs, base, more, status, statusMessage }: SpanRecord): string {
  const failed = status === 'error' ? ` error${statusMessage ? `: ${printable(statusMessage)}` : ''}` : ''
  const took = `${Number((endMs - startMs).toFixed(3))} ms`
  return `${timeText(startMs)} ${kind} ${printable(name)} ${took}${failed} ${attributesText(base, more)}`
}

function spanLines(span: SpanRecord): string[] {
  const { traceId, spanId, parentSpanId, traceState, resource, events = [] } = span
  const parent = parentSpanId === undefined ? '' : ` parent=${parentSpanId}`
  const state = traceState ? ` state=${printable(traceState)}` : ''
  return [
    spanLine(span),
    `  trace=${traceId} span=${spanId}${parent}${state}`,
    `  resource ${attributesText(resource.set)}`,
    ...events.map(
      event => `  event ${timeText(event.timeMs)} ${printable(event.name)} ${attributesText(event.attributes)}`,
    ),
  ]
}
