// Sends requests by OTLP/HTTP, each signal to its own URL.
import type { OtlpTarget } from '../config/otlp-exporters.ts'
import { shownEndpoint } from '../config/secret.ts'
import type { Signal } from '../config/signal.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import { ClientTls } from './client-tls.ts'
import { HiddenValues } from './hidden-values.ts'
import { connectionFailure } from './otlp-failure.ts'
import type { OtlpSenderParts } from './otlp-grpc-sender.ts'
import { OtlpHttpConnection } from './otlp-http-connection.ts'
import { OtlpRoute } from './otlp-route.ts'
import type { Sender, SendOutcome } from './sender.ts'

export interface OtlpHttpSenderParts extends OtlpSenderParts {
  readonly encoding: 'proto' | 'json'
}

const contentTypes = { proto: 'application/x-protobuf', json: 'application/json' } as const
const components = { proto: 'otlp_http', json: 'otlp_http_json' } as const

export class OtlpHttpSender implements Sender {
  readonly #routes: ReadonlyMap<Signal, OtlpRoute>

  /** Throws a Failure for a certificate file that can't be used. */
  constructor(parts: OtlpHttpSenderParts) {
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

function route(signal: Signal, target: OtlpTarget, parts: OtlpHttpSenderParts): OtlpRoute {
  const { clock, encoding, meterProvider } = parts
  const { endpoint: url, headers, compression, timeoutMs } = target
  const tls = url.startsWith('https:') ? new ClientTls(target.tls, clock) : undefined
  tls?.read() // A missing certificate stops the start.
  const shownUrl = shownEndpoint(url)
  const contentType = contentTypes[encoding]
  const transport = new OtlpHttpConnection({
    url,
    shownUrl,
    headers,
    contentType,
    compression,
    clock,
    ...(tls && { tls }),
  })
  return new OtlpRoute({
    ...{ signal, encoding, component: components[encoding], url: shownUrl, timeoutMs, transport },
    explain: error => connectionFailure(shownUrl, error),
    hidden: new HiddenValues(headers, url),
    ...(meterProvider && { meterProvider }),
  })
}
