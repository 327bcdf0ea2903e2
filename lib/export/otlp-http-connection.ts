// Posts serialized requests to an OTLP/HTTP receiver. The SDK's own transport tries five times by itself, keeps to itself
// what a receiver says beside its status, and reads certificates once.
import type { ExportResponse, IExporterTransport } from '@opentelemetry/otlp-exporter-base'
import type { Clock } from '../host/clock.ts'
import { HttpConnection, type HttpConnectionOptions, type HttpResponse } from './http-connection.ts'
import { connectionFailure, httpFailure } from './otlp-failure.ts'
import { retryAfterMs } from './retry-after.ts'
import { readRpcStatus } from './rpc-status.ts'

export interface OtlpHttpConnectionOptions extends HttpConnectionOptions {
  /** The URL for messages, without secrets. */
  readonly shownUrl: string
  readonly contentType: 'application/x-protobuf' | 'application/json'
  readonly clock: Clock
}

export class OtlpHttpConnection implements IExporterTransport {
  readonly #shownUrl: string
  readonly #clock: Clock
  readonly #connection: HttpConnection

  constructor({ shownUrl, clock, ...options }: OtlpHttpConnectionOptions) {
    this.#shownUrl = shownUrl
    this.#clock = clock
    this.#connection = new HttpConnection(options)
  }

  async send(data: Uint8Array, timeoutMillis: number): Promise<ExportResponse> {
    try {
      const answer = await this.#connection.post(data, timeoutMillis)
      const { status, body } = answer
      if (status >= 200 && status < 300) return { status: 'success', ...(body && { data: body }) }
      return { status: 'failure', error: httpFailure(this.#shownUrl, this.#why(answer)) }
    } catch (error) {
      return { status: 'failure', error: connectionFailure(this.#shownUrl, error as Error) }
    }
  }

  shutdown(): void {
    this.#connection.close()
  }

  #why({ status, statusMessage, headers, body }: HttpResponse) {
    const said = body && saidIn(body, headers['content-type'] ?? '')
    return {
      status,
      message: said || statusMessage,
      retryAfterMs: retryAfterMs(headers['retry-after'], headers.date, this.#clock.nowMs()),
      location: headers.location,
    }
  }
}

/** OTLP/HTTP says why in a google.rpc.Status; what stands between us and a receiver says it in plain text. */
function saidIn(body: Buffer, contentType: string): string | undefined {
  if (contentType.startsWith('application/x-protobuf')) return readRpcStatus(body).message
  if (contentType.startsWith('text/plain')) return body.toString('utf8').trim()
  if (!contentType.startsWith('application/json')) return undefined
  try {
    const { message } = JSON.parse(body.toString('utf8')) as { message?: unknown }
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}
