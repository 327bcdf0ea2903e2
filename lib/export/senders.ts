// The sender that an exporter's settings ask for, of one signal.
import type { MeterProvider } from '@opentelemetry/api'
import type { ExporterConfig } from '../config/exporters.ts'
import type { InfluxExporterConfig } from '../config/influx-exporter.ts'
import type { Signal } from '../config/signal.ts'
import type { Clock } from '../host/clock.ts'
import { DebugSender } from './debug-sender.ts'
import { FileSender } from './file-sender.ts'
import { InfluxHttpSender } from './influx-http-sender.ts'
import { LineTcpSender, LineUdpSender } from './line-socket-sender.ts'
import { OtlpGrpcSender } from './otlp-grpc-sender.ts'
import { OtlpHttpSender } from './otlp-http-sender.ts'
import type { Sender } from './sender.ts'

export interface SenderParts {
  readonly signal: Signal
  readonly clock: Clock
  /** For the SDK's metrics of exporters. */
  readonly meterProvider?: MeterProvider
}

/** Throws a Failure for an endpoint or a certificate file that can't be used. */
export function createSender(config: ExporterConfig, { signal, ...parts }: SenderParts): Sender {
  switch (config.type) {
    case 'otlp_grpc':
      return new OtlpGrpcSender({ ...parts, targets: { [signal]: config.targets[signal] } })
    case 'otlp_http': {
      const { encoding, targets } = config
      return new OtlpHttpSender({ ...parts, encoding, targets: { [signal]: targets[signal] } })
    }
    case 'file':
      return new FileSender(config)
    case 'debug':
      return new DebugSender()
    case 'influx':
      return influxSender(config, parts.clock)
    default:
      throw new Error(`exporter ${config.id} is not available in this version`)
  }
}

function influxSender(config: InfluxExporterConfig, clock: Clock): Sender {
  switch (config.transport) {
    case 'http':
      return new InfluxHttpSender(config, clock)
    case 'tcp':
      return new LineTcpSender(config)
    case 'udp':
      return new LineUdpSender(config)
  }
}
