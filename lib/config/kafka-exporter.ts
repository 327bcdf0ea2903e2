// The exporter that writes OTLP requests to topics: `kafka`, spelled as the Collector's.
import type { z } from 'zod'
import { formatDuration } from './duration.ts'
import {
  type DeliveryConfig,
  deliveryConfig,
  deliveryShape,
  describeDelivery,
  describeMetricForm,
  metricForm,
  otlpMetricFormShape,
} from './exporter-delivery.ts'
import type { MetricForm } from './metric-form.ts'
import { type ExporterPlace, timeoutSchema } from './otlp-exporters.ts'
import { redacted } from './secret.ts'
import { type Signal, signals } from './signal.ts'
import { checkTls, describeTls, type TlsConfig, tlsConfig, tlsSchema } from './tls.ts'
import { choice, list, required, section, text } from './validation.ts'

export interface KafkaExporterConfig extends MetricForm, DeliveryConfig {
  readonly type: 'kafka'
  readonly id: string
  /** `HOST:PORT`. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly topics: Readonly<Record<Signal, string>>
  readonly encoding: 'otlp_proto' | 'otlp_json'
  /** Who must have a record before it counts as taken: the partition's leader, or all replicas that are in sync. */
  readonly acks: 'leader' | 'all'
  readonly compression: 'none' | 'gzip'
  readonly timeoutMs: number
  /** Absent: without TLS. */
  readonly tls?: TlsConfig
  readonly sasl?: SaslConfig
}

export interface SaslConfig {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

const broker = text('HOST:PORT', value => /^(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}$/.test(value))
const topic = (name: string) =>
  section({
    topic: text('letters, digits, . _ -, at most 249', value => /^[\w.-]{1,249}$/.test(value)).default(name),
  })

export const kafkaSchema = section({
  brokers: list(broker, 'a list of brokers: [HOST:PORT]')
    .min(1, { error: 'at least one broker' })
    .default(['localhost:9092']),
  client_id: text('a name').default('podweir'),
  metrics: topic('otlp_metrics'),
  traces: topic('otlp_spans'),
  logs: topic('otlp_logs'),
  encoding: choice('otlp_proto', 'otlp_json').default('otlp_proto'),
  required_acks: choice('leader', 'all').default('all'),
  compression: choice('none', 'gzip').default('gzip'),
  timeout: timeoutSchema.default(10_000),
  tls: tlsSchema.optional(),
  sasl: required({
    mechanism: choice('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512').default('SCRAM-SHA-512'),
    username: text('a name'),
    password: text('a password'),
  }).optional(),
  ...otlpMetricFormShape,
  ...deliveryShape,
})

export function kafkaExporter(settings: z.output<typeof kafkaSchema>, place: ExporterPlace): KafkaExporterConfig {
  checkTls(place, settings.tls, [...place.path, 'tls'], [])
  if (settings.sasl && (!settings.tls || settings.tls.insecure)) warnOfOpenPassword(place)
  const { brokers, client_id: clientId, encoding, required_acks: acks, compression, timeout: timeoutMs } = settings
  return {
    ...{ type: 'kafka', id: place.id, brokers, clientId, encoding, acks, compression, timeoutMs },
    topics: { metrics: settings.metrics.topic, traces: settings.traces.topic, logs: settings.logs.topic },
    ...(settings.tls && !settings.tls.insecure && { tls: tlsConfig(settings.tls) }),
    ...(settings.sasl && { sasl: settings.sasl }),
    ...metricForm(settings),
    ...deliveryConfig(settings, place.storage),
  }
}

export function describeKafka(exporter: KafkaExporterConfig) {
  const { brokers, clientId, topics, encoding, acks, compression, timeoutMs, tls, sasl } = exporter
  return {
    ...{ brokers, client_id: clientId },
    ...Object.fromEntries(signals.map(signal => [signal, { topic: topics[signal] }])),
    ...{ encoding, required_acks: acks, compression, timeout: formatDuration(timeoutMs) },
    ...(tls && { tls: describeTls(tls) }),
    ...(sasl && { sasl: { mechanism: sasl.mechanism, username: sasl.username, password: redacted } }),
    ...describeMetricForm(exporter),
    ...describeDelivery(exporter),
  }
}

function warnOfOpenPassword({ document, path, warnings }: ExporterPlace): void {
  const at = [...path, 'sasl']
  const what = 'without tls whoever is on the way can read the password'
  warnings.push(document.problems.line(document.placeOfKey(at), at, what))
}
