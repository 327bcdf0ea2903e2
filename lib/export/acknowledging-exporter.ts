// Tells who made a request whether it was delivered, which a MetricProducer alone never learns.
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import {
  type AggregationOption,
  AggregationTemporality,
  AggregationType,
  type InstrumentType,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { Clock } from '../host/clock.ts'
import type { Log } from '../host/log.ts'

export interface DeliveryListener {
  /**
   * The receiver has the whole request. Its DataPoint objects are the producer's own: the reader cuts requests to size
   * by slicing arrays of points, so that metrics are copies and points are not.
   */
  acknowledged(metrics: ResourceMetrics): void
  /** Not delivered as far as we know. A part of a collection that comes after a timed-out one is not sent, and not reported. */
  failed(metrics: ResourceMetrics, error: Error): void
}

export interface AcknowledgingParts {
  readonly id: string
  readonly exporter: PushMetricExporter
  readonly listener: DeliveryListener
  readonly log: Log
  readonly clock: Clock
}

interface Outage {
  readonly sinceMs: number
  failures: number
  logged: boolean
}

interface Request {
  readonly metrics: ResourceMetrics
  readonly done: (result: ExportResult) => void
}

const failureLinesApartMs = 60_000

export class AcknowledgingExporter implements PushMetricExporter {
  readonly #parts: AcknowledgingParts
  #outage: Outage | undefined
  #lastFailureLineMs = Number.NEGATIVE_INFINITY
  #failures = 0
  #acknowledgedAtMs: number | undefined
  #underWay = false
  #waiting: Request | undefined
  #isShutDown = false
  readonly #onIdle: (() => void)[] = []

  constructor(parts: AcknowledgingParts) {
    this.#parts = parts
  }

  /** Requests that failed since the start. */
  get failures(): number {
    return this.#failures
  }

  /** Wall clock, ms since 1970; undefined before the first acknowledgment. */
  get acknowledgedAtMs(): number | undefined {
    return this.#acknowledgedAtMs
  }

  /**
   * One request at a time: the reader stops waiting after an interval, and two under way could arrive in the other
   * order, so that a count falls. The newest waits; what an older one would have said is collected again.
   */
  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    // A collection that a newer one has taken the place of.
    const isEmpty = metrics.scopeMetrics.length === 0
    const request = { metrics, done }
    const free = !this.#underWay && !this.#isShutDown
    if (isEmpty) done({ code: ExportResultCode.SUCCESS })
    else if (free) this.#send(request)
    else this.#keep(request)
  }

  /** Resolves when no request is under way. */
  async idle(): Promise<void> {
    while (this.#underWay)
      await new Promise<void>(resolve => {
        this.#onIdle.push(resolve)
      })
  }

  /** Until the answer to the request under way, or until a newer one comes. */
  #keep(request: Request): void {
    this.#giveUpWaiting()
    this.#waiting = request
    if (this.#isShutDown) this.#giveUpWaiting()
  }

  #send({ metrics, done }: Request): void {
    let settled = false
    const settle = (result: ExportResult) => {
      if (settled) return
      settled = true
      this.#underWay = false
      for (const resolve of this.#onIdle.splice(0)) resolve()
      try {
        if (result.code === ExportResultCode.SUCCESS) this.#acknowledged(metrics)
        else this.#failed(metrics, result.error ?? new Error('the request failed'))
      } finally {
        done(result)
        this.#sendWaiting()
      }
    }
    this.#underWay = true
    try {
      this.#parts.exporter.export(metrics, settle)
    } catch (error) {
      if (settled) throw error
      settle({ code: ExportResultCode.FAILED, error: error instanceof Error ? error : new Error(String(error)) })
    }
  }

  #sendWaiting(): void {
    const next = this.#waiting
    if (!next || this.#isShutDown) return
    this.#waiting = undefined
    this.#send(next)
  }

  #giveUpWaiting(): void {
    const given = this.#waiting
    this.#waiting = undefined
    if (given) this.#giveUp(given)
  }

  #giveUp({ metrics, done }: Request): void {
    const error = new Error('the receiver has not answered the request before')
    this.#failed(metrics, error)
    done({ code: ExportResultCode.FAILED, error })
  }

  #acknowledged(metrics: ResourceMetrics): void {
    const { id, listener, log, clock } = this.#parts
    this.#acknowledgedAtMs = clock.nowMs()
    const outage = this.#outage
    this.#outage = undefined
    if (outage?.logged) {
      const seconds = Math.round((clock.monotonicMs() - outage.sinceMs) / 1000)
      log.info({ exporter: id, failures: outage.failures }, `exporter ${id}: delivers again after ${seconds} s`)
    }
    listener.acknowledged(metrics)
  }

  #failed(metrics: ResourceMetrics, error: Error): void {
    const { id, listener, log, clock } = this.#parts
    this.#failures++
    const nowMs = clock.monotonicMs()
    this.#outage ??= { sinceMs: nowMs, failures: 0, logged: false }
    this.#outage.failures++
    if (!this.#outage.logged && nowMs - this.#lastFailureLineMs >= failureLinesApartMs) {
      this.#outage.logged = true
      this.#lastFailureLineMs = nowMs
      log.warn({ exporter: id }, `exporter ${id}: ${error.message}; the counts stay and go with the next request`)
    }
    listener.failed(metrics, error)
  }

  forceFlush(): Promise<void> {
    return this.#parts.exporter.forceFlush()
  }

  shutdown(): Promise<void> {
    this.#isShutDown = true
    this.#giveUpWaiting()
    return this.#parts.exporter.shutdown()
  }

  selectAggregationTemporality(instrumentType: InstrumentType): AggregationTemporality {
    return this.#parts.exporter.selectAggregationTemporality?.(instrumentType) ?? AggregationTemporality.CUMULATIVE
  }

  selectAggregation(instrumentType: InstrumentType): AggregationOption {
    return this.#parts.exporter.selectAggregation?.(instrumentType) ?? { type: AggregationType.DEFAULT }
  }
}
