// Where an OTLP/gRPC exporter connects to, and whether by TLS.
import { Failure } from '../host/failure.ts'

export interface OtlpEndpoint {
  /** `host:port`, what gRPC dials. */
  readonly address: string
  readonly secure: boolean
}

const defaultPort = 4317

/**
 * As in the Collector's otlp_grpc exporter: `http://` is plain, `https://` is TLS, without a scheme it is TLS unless
 * `insecure` says otherwise. Without a port it is 4317; gRPC itself would dial 443, also for `http://`.
 */
export function parseEndpoint(endpoint: string, insecure: boolean): OtlpEndpoint {
  const match = /^(?:(https?):\/\/)?(\[[0-9a-f:.]+\]|[^\s/:@[\]]+)(?::(\d{1,5}))?\/?$/i.exec(endpoint.trim())
  const port = Number(match?.[3] ?? defaultPort)
  if (!match || port === 0 || port > 65535) {
    throw new Failure({
      step: 'read endpoint',
      subject: endpoint,
      cause: 'not host:port, http://host:port or https://host:port',
      remedy: 'write it for example as http://127.0.0.1:4317; gRPC has no path',
      exitCode: 2,
    })
  }
  const scheme = match[1]?.toLowerCase()
  return { address: `${match[2]}:${port}`, secure: scheme ? scheme === 'https' : !insecure }
}
