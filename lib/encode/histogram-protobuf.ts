// What a histogram's point has beside times and attributes, in both forms.
import type { Exemplar, HistogramValue } from '../signals/metric-sink.ts'
import { exponentialBuckets } from './exponential-buckets.ts'
import { Field } from './metric-fields.ts'
import { Nanoseconds } from './nanoseconds.ts'
import type { ProtobufWriter } from './protobuf-writer.ts'

export function writeExplicit(writer: ProtobufWriter, histogram: HistogramValue): void {
  const { count, sum, bounds, counts, exemplars } = histogram
  writer.fixed64(Field.histogram.count, count)
  writer.double(Field.histogram.sum, sum)
  writer.packedFixed64(Field.explicit.bucketCounts, counts)
  if (bounds.length > 0) writer.packedDoubles(Field.explicit.bounds, bounds)
  if (exemplars) writeExemplars(writer, Field.explicit.exemplars, exemplars)
}

export function writeExponential(writer: ProtobufWriter, histogram: HistogramValue): void {
  const { count, sum, counts, exemplars } = histogram
  const { scale, zeroCount, zeroThreshold, offset, first } = exponentialBuckets(histogram)
  writer.fixed64(Field.histogram.count, count)
  writer.double(Field.histogram.sum, sum)
  writer.zigzag(Field.exponential.scale, scale)
  writer.fixed64(Field.exponential.zeroCount, zeroCount)
  writer.begin(Field.exponential.positive, 1)
  writer.zigzag(Field.buckets.offset, offset)
  writer.packedVarints(Field.buckets.counts, counts, first)
  writer.end()
  if (exemplars) writeExemplars(writer, Field.exponential.exemplars, exemplars)
  writer.double(Field.exponential.zeroThreshold, zeroThreshold)
}

function writeExemplars(writer: ProtobufWriter, field: number, exemplars: readonly Exemplar[]): void {
  const time = new Nanoseconds()
  for (const { timeMs, value, traceId, spanId } of exemplars) {
    writer.begin(field, 1)
    writer.time(Field.exemplar.time, time.set(timeMs))
    writer.double(Field.exemplar.asDouble, value)
    writer.hex(Field.exemplar.spanId, spanId)
    writer.hex(Field.exemplar.traceId, traceId)
    writer.end()
  }
}
