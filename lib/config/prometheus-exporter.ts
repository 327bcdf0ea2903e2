// The exporter that waits to be asked: `prometheus`, a scrape endpoint of our own.
import type { z } from 'zod'
import { formatListenEndpoint, type ListenEndpoint } from './listen-endpoint.ts'
import { redacted } from './secret.ts'
import { describeServerTls, type ServerTlsConfig, serverTlsConfig, serverTlsSchema } from './tls.ts'
import { listenEndpoint, section, text } from './validation.ts'

export interface PrometheusExporterConfig extends ListenEndpoint {
  readonly type: 'prometheus'
  readonly id: string
  readonly path: string
  /** Absent: without TLS. */
  readonly tls?: ServerTlsConfig
  /** What who asks must present; absent: nothing. */
  readonly bearerToken?: string
}

export const prometheusSchema = section({
  endpoint: listenEndpoint('localhost:9464').default({ host: 'localhost', port: 9464 }),
  path: text('a path, such as /metrics', value => /^\/[\w./~-]*$/.test(value)).default('/metrics'),
  tls: serverTlsSchema.optional(),
  bearer_token: text('text of printable ASCII characters without spaces', value => /^[!-~]+$/.test(value)).optional(),
})

export function prometheusExporter(
  settings: z.output<typeof prometheusSchema>,
  { id }: { id: string },
): PrometheusExporterConfig {
  const { endpoint, path, tls, bearer_token: bearerToken } = settings
  return {
    ...{ type: 'prometheus', id, path },
    ...endpoint,
    ...(tls && { tls: serverTlsConfig(tls) }),
    ...(bearerToken !== undefined && { bearerToken }),
  }
}

export function describePrometheus(exporter: PrometheusExporterConfig) {
  return {
    endpoint: formatListenEndpoint(exporter),
    path: exporter.path,
    ...(exporter.tls && { tls: describeServerTls(exporter.tls) }),
    ...(exporter.bearerToken !== undefined && { bearer_token: redacted }),
  }
}
