// Posts serialized requests to an OTLP/HTTP receiver. The SDK's own transport tries five times by itself, keeps to itself
// what a receiver says beside its status, and reads certificates once.
import { Agent as HttpAgent, type IncomingMessage, request as requestByHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestByHttps } from 'node:https'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import type { ExportResponse, IExporterTransport } from '@opentelemetry/otlp-exporter-base'
import type { Clock } from '../host/clock.ts'
import type { ClientTls } from './client-tls.ts'
import { connectionFailure, httpFailure } from './otlp-failure.ts'
import { retryAfterMs } from './retry-after.ts'
import { readRpcStatus } from './rpc-status.ts'

export interface OtlpHttpConnectionOptions {
  readonly url: string
  /** The same for messages, without secrets. */
  readonly shownUrl: string
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: 'application/x-protobuf' | 'application/json'
  readonly compression: 'gzip' | 'none'
  /** Absent: without TLS. */
  readonly tls?: ClientTls
  readonly clock: Clock
}

interface Answer {
  readonly response: IncomingMessage
  /** undefined: it broke off, or was too long. */
  readonly body: Buffer | undefined
}

const LONGEST_ANSWER = 256 * 1024

const compress = promisify(gzip)

export class OtlpHttpConnection implements IExporterTransport {
  readonly #options: OtlpHttpConnectionOptions
  readonly #closed = new AbortController()
  #agent: HttpAgent | undefined

  constructor(options: OtlpHttpConnectionOptions) {
    this.#options = options
  }

  async send(data: Uint8Array, timeoutMillis: number): Promise<ExportResponse> {
    const { shownUrl, compression } = this.#options
    try {
      // Level 1: the wire is near, and the processor is the pods'.
      const zipped = compression === 'gzip'
      const body = zipped ? await compress(data, { level: constants.Z_BEST_SPEED }) : data
      const answer = await this.#askAgain(body, timeoutMillis)
      const status = answer.response.statusCode ?? 0
      if (status >= 200 && status < 300) return { status: 'success', ...(answer.body && { data: answer.body }) }
      return { status: 'failure', error: httpFailure(shownUrl, this.#why(status, answer)) }
    } catch (error) {
      return { status: 'failure', error: connectionFailure(shownUrl, error as Error) }
    }
  }

  /** A connection that was kept may be closed by its other end just now: such a request never arrived. */
  async #askAgain(body: Uint8Array, timeoutMs: number): Promise<Answer> {
    try {
      return await this.#ask(body, timeoutMs)
    } catch (error) {
      if (!(error as { reusedSocket?: boolean }).reusedSocket) throw error
      return this.#ask(body, timeoutMs)
    }
  }

  #ask(body: Uint8Array, timeoutMs: number): Promise<Answer> {
    const { url, headers, contentType, compression, tls } = this.#options
    return new Promise((resolve, reject) => {
      const options = {
        method: 'POST',
        agent: this.#currentAgent(),
        signal: this.#closed.signal,
        headers: {
          'user-agent': 'podweir',
          ...headers,
          'content-type': contentType,
          'content-length': body.length,
          ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
        },
      }
      const request = (tls ? requestByHttps : requestByHttp)(url, options, response => {
        readBody(response).then(read => resolve({ response, body: read }))
      })
      // Over all: a receiver that says a byte now and then has not answered.
      const timer = setTimeout(() => request.destroy(new Error('did not answer in time')), timeoutMs)
      request.once('close', () => clearTimeout(timer))
      request.once('error', error => {
        const { reusedSocket } = request
        const isReset = reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
        reject(isReset ? Object.assign(error, { reusedSocket }) : error)
      })
      request.end(body)
    })
  }

  #currentAgent(): HttpAgent {
    const { tls } = this.#options
    if (this.#agent && tls?.hasChanged()) this.#renew(this.#agent)
    this.#agent ??= this.#newAgent()
    return this.#agent
  }

  #newAgent(): HttpAgent {
    const { tls } = this.#options
    if (!tls) return new HttpAgent({ keepAlive: true, maxSockets: 1 })
    const { insecureSkipVerify, serverName } = tls.config
    return new HttpsAgent({
      ...{ keepAlive: true, maxSockets: 1, ...tls.read(), rejectUnauthorized: !insecureSkipVerify },
      ...(serverName !== undefined && { servername: serverName }),
    })
  }

  /** Files that are just being replaced don't fit together: then the old ones are as good as they were. */
  #renew(agent: HttpAgent): void {
    try {
      this.#agent = this.#newAgent()
      agent.destroy()
    } catch {}
  }

  #why(status: number, { response, body }: Answer) {
    const { headers, statusMessage = '' } = response
    const said = body && saidIn(body, headers['content-type'] ?? '')
    const nowMs = this.#options.clock.nowMs()
    return {
      status,
      message: said || statusMessage,
      retryAfterMs: retryAfterMs(headers['retry-after'], headers.date, nowMs),
      location: headers.location,
    }
  }

  /** Gives up what is still under way. */
  shutdown(): void {
    this.#closed.abort(new Error('the exporter is closed'))
    this.#agent?.destroy()
  }
}

/** Ends in any case: with what there is, the status is known. */
async function readBody(response: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      if (bytes > LONGEST_ANSWER) return undefined
      chunks.push(chunk as Buffer)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
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
