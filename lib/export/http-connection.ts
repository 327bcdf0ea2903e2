// Posts bodies to one URL by HTTP or HTTPS, one at a time on a connection that is kept.
import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as requestByHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestByHttps } from 'node:https'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import type { ClientTls } from './client-tls.ts'

export interface HttpConnectionOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly compression: 'gzip' | 'none'
  /** Absent: without TLS. */
  readonly tls?: ClientTls
}

export interface HttpResponse {
  readonly status: number
  readonly statusMessage: string
  readonly headers: IncomingHttpHeaders
  /** undefined: it broke off, or was too long. */
  readonly body: Buffer | undefined
}

const LONGEST_ANSWER = 256 * 1024

const compress = promisify(gzip)

export class HttpConnection {
  readonly #options: HttpConnectionOptions
  readonly #closed = new AbortController()
  #agent: HttpAgent | undefined

  constructor(options: HttpConnectionOptions) {
    this.#options = options
  }

  /** Throws where no answer came. */
  async post(data: Uint8Array, timeoutMs: number): Promise<HttpResponse> {
    // Level 1: the wire is near, and the processor is the pods'.
    const zipped = this.#options.compression === 'gzip'
    return this.#askAgain(zipped ? await compress(data, { level: constants.Z_BEST_SPEED }) : data, timeoutMs)
  }

  /** Gives up what is still under way. */
  close(): void {
    this.#closed.abort(new Error('the exporter is closed'))
    this.#agent?.destroy()
  }

  /** A connection that was kept may be closed by its other end just now: such a request never arrived. */
  async #askAgain(body: Uint8Array, timeoutMs: number): Promise<HttpResponse> {
    try {
      return await this.#ask(body, timeoutMs)
    } catch (error) {
      if (!(error as { reusedSocket?: boolean }).reusedSocket) throw error
      return this.#ask(body, timeoutMs)
    }
  }

  #ask(body: Uint8Array, timeoutMs: number): Promise<HttpResponse> {
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
        readBody(response).then(read => {
          const { statusCode: status = 0, statusMessage = '', headers: said } = response
          resolve({ status, statusMessage, headers: said, body: read })
        })
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
