// Sends requests by OTLP/gRPC, each signal on a connection of its own.
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js'
import type { MeterProvider } from '@opentelemetry/api'
import type { OtlpTarget } from '../config/otlp-exporters.ts'
import type { Signal } from '../config/signal.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import type { Clock } from '../host/clock.ts'
import { ClientTls } from './client-tls.ts'
import { HiddenValues } from './hidden-values.ts'
import { OtlpConnection } from './otlp-connection.ts'
import { parseEndpoint } from './otlp-endpoint.ts'
import { grpcFailure } from './otlp-failure.ts'
import { OtlpRoute } from './otlp-route.ts'
import type { Sender, SendOutcome } from './sender.ts'

export interface OtlpSenderParts {
  /** Of the signals that are sent. */
  readonly targets: Partial<Readonly<Record<Signal, OtlpTarget>>>
  readonly clock: Clock
  readonly meterProvider?: MeterProvider
}

export class OtlpGrpcSender implements Sender {
  readonly #routes: ReadonlyMap<Signal, OtlpRoute>

  /** Throws a Failure for an endpoint or a certificate file that can't be used. */
  constructor(parts: OtlpSenderParts) {
    const targets = Object.entries(parts.targets) as [Signal, OtlpTarget][]
    this.#routes = new Map(targets.map(([signal, target]) => [signal, route(signal, target, parts)]))
  }

  send(request: EncodedRequest): Promise<SendOutcome> {
    return this.#routes.get(request.signal)!.send(request)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#routes.values()].map(each => each.close()))
  }
}

function route(signal: Signal, target: OtlpTarget, { clock, meterProvider }: OtlpSenderParts): OtlpRoute {
  const { address, secure } = parseEndpoint(target.endpoint, target.tls.insecure)
  const { headers, compression, timeoutMs, tls: tlsConfig } = target
  const tls = secure ? new ClientTls(tlsConfig, clock) : undefined
  tls?.read() // A missing certificate stops the start.
  const transport = new OtlpConnection({
    ...{ signal, address, compression, clock },
    credentials: tls ? () => secureCredentials(tls) : () => credentials.createInsecure(),
    metadata: () => metadataOf(headers),
    ...(tls && { isStale: () => tls.hasChanged() }),
    ...(tls && tlsConfig.serverName !== undefined && { serverName: tlsConfig.serverName }),
  })
  return new OtlpRoute({
    ...{ signal, encoding: 'proto', component: 'otlp_grpc', url: address, timeoutMs, transport },
    explain: error => grpcFailure(address, signal, error),
    hidden: new HiddenValues(headers, target.endpoint),
    ...(meterProvider && { meterProvider }),
  })
}

export function secureCredentials(tls: ClientTls): ChannelCredentials {
  return credentials.createFromSecureContext(tls.context(), { rejectUnauthorized: !tls.config.insecureSkipVerify })
}

export function metadataOf(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return metadata
}
