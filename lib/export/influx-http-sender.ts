// Posts lines to InfluxDB 1, 2 or 3, or to a URL that takes them.
import type { InfluxExporterConfig } from '../config/influx-exporter.ts'
import { shownEndpoint } from '../config/secret.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import type { Clock } from '../host/clock.ts'
import { ClientTls } from './client-tls.ts'
import { HiddenValues } from './hidden-values.ts'
import { HttpConnection } from './http-connection.ts'
import { influxFailure, partialWrite } from './influx-failure.ts'
import { connectionFailure } from './otlp-failure.ts'
import { SendFailure } from './send-failure.ts'
import type { Sender, SendOutcome } from './sender.ts'
import { shownMessage } from './shown-message.ts'

export class InfluxHttpSender implements Sender {
  readonly #config: InfluxExporterConfig
  readonly #clock: Clock
  readonly #url: string
  readonly #hidden: HiddenValues
  readonly #connection: HttpConnection

  /** Throws a Failure for a certificate file that can't be used. */
  constructor(config: InfluxExporterConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
    const url = writeUrl(config)
    this.#url = shownEndpoint(url)
    const headers = { ...authorization(config), ...config.headers }
    const { token = '', password = '' } = config
    this.#hidden = new HiddenValues({ ...headers, token, password }, url)
    const tls = url.startsWith('https:') ? new ClientTls(config.tls, clock) : undefined
    tls?.read() // A missing certificate stops the start.
    const { compression } = config
    const contentType = 'text/plain; charset=utf-8'
    this.#connection = new HttpConnection({ url, headers, contentType, compression, ...(tls && { tls }) })
  }

  async send({ body, items }: EncodedRequest): Promise<SendOutcome> {
    // Of series that ended nothing is said: there may be nothing to say at all.
    if (body.length === 0) return { kind: 'delivered', rejected: 0 }
    try {
      const response = await this.#connection.post(body, this.#config.timeoutMs)
      if (response.status >= 200 && response.status < 300) return { kind: 'delivered', rejected: 0 }
      const answer = { version: this.#config.version, url: this.#url, response, nowMs: this.#clock.nowMs() }
      const partial = partialWrite(answer)
      if (!partial) return this.#safe(influxFailure(answer))
      const rejected = Math.min(items, partial.rejected)
      return { kind: 'delivered', rejected, message: shownMessage(partial.message, this.#hidden) }
    } catch (error) {
      return this.#safe(connectionFailure(this.#url, error as Error))
    }
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  #safe({ kind, message, afterMs }: SendFailure): SendOutcome {
    return new SendFailure(kind, shownMessage(message, this.#hidden), afterMs).outcome()
  }
}

function writeUrl({ version, endpoint, org = '', bucket = '', database = '' }: InfluxExporterConfig): string {
  switch (version) {
    case 'v1':
      return below(endpoint, 'write', { db: database, precision: 'ns' })
    case 'v2':
      return below(endpoint, 'api/v2/write', { org, bucket, precision: 'ns' })
    case 'v3':
      return below(endpoint, 'api/v3/write_lp', { db: database, precision: 'nanosecond' })
    case 'none':
      return endpoint
  }
}

/** What the endpoint's own query says stays. */
function below(endpoint: string, path: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(endpoint)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

function authorization(config: InfluxExporterConfig): Record<string, string> {
  const { version, token, username, password = '' } = config
  if (token !== undefined) return { authorization: `${version === 'v2' ? 'Token' : 'Bearer'} ${token}` }
  if (username === undefined) return {}
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}
