// A form of metrics in which requests are made, one after the other.
import type { RequestSink } from '../signals/metric-sink.ts'
import type { EncodedRequest } from './encoded-request.ts'

export interface MetricEncoder extends RequestSink {
  /** The request that was made; what comes next belongs to another one, and begins with its resource. */
  finish(): EncodedRequest
}
