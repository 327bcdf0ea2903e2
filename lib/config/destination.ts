// Where an exporter's data goes, for people and for whoever tries whether somebody is there.
import type { ExporterConfig } from './exporters.ts'
import { formatListenEndpoint } from './listen-endpoint.ts'
import { shownEndpoint } from './secret.ts'
import type { Signal } from './signal.ts'

/** Without secrets. */
export function destinationText(exporter: ExporterConfig, signals: readonly Signal[]): string {
  switch (exporter.type) {
    case 'otlp_grpc':
    case 'otlp_http':
      return otlpEndpoints(exporter, signals).map(shownEndpoint).join(', ')
    case 'file':
      return exporter.path
    case 'debug':
      return `${exporter.verbosity}, to stdout`
    case 'prometheus':
      return `http${exporter.tls ? 's' : ''}://${formatListenEndpoint(exporter)}${exporter.path}, for who asks`
    case 'influx':
      return `${exporter.transport === 'http' ? '' : `${exporter.transport}://`}${shownEndpoint(exporter.endpoint)}`
    case 'kafka':
      return exporter.brokers.join(', ')
  }
}

/** Endpoints to which it opens TCP connections. */
export function dialledEndpoints(exporter: ExporterConfig, signals: readonly Signal[]): readonly string[] {
  switch (exporter.type) {
    case 'otlp_grpc':
    case 'otlp_http':
      return otlpEndpoints(exporter, signals)
    case 'influx':
      return exporter.transport === 'udp' ? [] : [exporter.endpoint]
    case 'kafka':
      return exporter.brokers
    default:
      return []
  }
}

function otlpEndpoints(
  { targets }: ExporterConfig & { type: 'otlp_grpc' | 'otlp_http' },
  signals: readonly Signal[],
): string[] {
  return [...new Set(signals.map(signal => targets[signal].endpoint))]
}
