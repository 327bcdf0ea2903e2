// A span on its way to a receiver (docs/signals.md): what an encoder reads, and nothing that the SDK's classes need.
import type { AttributeSet, SignalResource } from './attribute-set.ts'

export interface SpanRecord {
  readonly resource: SignalResource
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits. */
  readonly spanId: string
  readonly parentSpanId?: string
  /** As `ot=th:8`. */
  readonly traceState?: string
  readonly name: string
  readonly kind: 'client' | 'server'
  /** Wall clock, ms since 1970, with fractions. */
  readonly startMs: number
  readonly endMs: number
  readonly base: AttributeSet
  /** Beside those of `base`: of this span alone. */
  readonly more?: AttributeSet
  readonly events?: readonly SpanEvent[]
  readonly status: 'unset' | 'error'
  readonly statusMessage?: string
}

export interface SpanEvent {
  readonly name: string
  readonly timeMs: number
  readonly attributes?: AttributeSet
}
