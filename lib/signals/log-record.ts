// A log record on its way to a receiver (docs/signals.md).
import type { AttributeSet, SignalResource } from './attribute-set.ts'

export interface LogRecord {
  readonly resource: SignalResource
  /** Wall clock, ms since 1970, with fractions: when it happened, and when we saw it. */
  readonly timeMs: number
  readonly observedMs: number
  readonly severity: 'INFO' | 'WARN'
  readonly eventName: string
  readonly body?: string
  readonly base: AttributeSet
  /** Beside those of `base`: of this record alone. */
  readonly more?: AttributeSet
  /** 32 and 16 hex digits, where a span tells of the same. */
  readonly traceId?: string
  readonly spanId?: string
}
