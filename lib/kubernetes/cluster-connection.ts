// Requests to the API server, or to a resolver, over one connection that is opened again when it is gone.
import { ApiFailure } from './api-failure.ts'
import {
  type ApiCall,
  type ApiResponse,
  type ApiTransport,
  type ConnectionTimes,
  type Conversation,
  openTransport,
  wasNotProcessed,
} from './api-transport.ts'
import type { ClusterAccess } from './cluster-access.ts'

export type { ConnectionTimes } from './api-transport.ts'

/** A dead connection is found within 40 s. */
export const CONNECTION_TIMES: ConnectionTimes = {
  connectLimitMs: 10_000,
  answerLimitMs: 60_000,
  pingEveryMs: 20_000,
  pingLimitMs: 20_000,
}

const UNAUTHORIZED = 401

type Ask = Omit<ApiCall, 'answerLimitMs'>

export class ClusterConnection {
  readonly #access: ClusterAccess
  readonly #times: ConnectionTimes
  readonly #userAgent: string
  #transport: Promise<ApiTransport> | undefined
  readonly #closing = new AbortController()

  constructor(access: ClusterAccess, userAgent: string, times: ConnectionTimes = CONNECTION_TIMES) {
    this.#access = access
    this.#userAgent = userAgent
    this.#times = times
  }

  get server(): string {
    return this.#access.server.origin
  }

  /** Only HTTP/2 has pings: without them a watch that has died is found by its end alone, which should come soon then. */
  async hasPings(): Promise<boolean> {
    return (await this.#open()).protocol === 'h2'
  }

  /** Any status is an answer. A refused token is read anew at once, and tried once more if it is another. Throws when there is no answer. */
  get(path: string, accept: string, signal: AbortSignal): Promise<ApiResponse> {
    const ask: Ask = { method: 'GET', path, headers: { accept }, signal }
    return this.#authorized(ask, (transport, call) => transport.call(call))
  }

  /** Of a JSON text; otherwise as `get`. */
  post(path: string, body: string, signal: AbortSignal): Promise<ApiResponse> {
    const headers = { accept: 'application/json', 'content-type': 'application/json' }
    const ask: Ask = { method: 'POST', path, headers, body, signal }
    return this.#authorized(ask, (transport, call) => transport.call(call))
  }

  /** Both sides send lines for as long as they like; `first` is the first of ours. Throws also where there is no HTTP/2. */
  converse(path: string, type: string, first: string, signal: AbortSignal): Promise<Conversation> {
    const headers = { accept: type, 'content-type': type }
    const ask: Ask = { method: 'POST', path, headers, body: first, signal }
    return this.#authorized(ask, (transport, call) => transport.converse(call))
  }

  /** The other end is there no more, whatever the connection says: the next request opens another. */
  abandon(): void {
    this.#drop()
  }

  close(): void {
    this.#closing.abort()
    this.#drop()
  }

  async #authorized<Response extends ApiResponse>(
    ask: Ask,
    send: (transport: ApiTransport, call: ApiCall) => Promise<Response>,
  ): Promise<Response> {
    const authorization = await this.#access.authorization(false)
    const response = await this.#send(ask, authorization, send)
    if (response.status !== UNAUTHORIZED) return response
    const renewed = await this.#access.authorization(true)
    if (renewed === authorization) return response
    response.body.destroy()
    return this.#send(ask, renewed, send)
  }

  async #send<Response extends ApiResponse>(
    ask: Ask,
    authorization: string | undefined,
    send: (transport: ApiTransport, call: ApiCall) => Promise<Response>,
    mayTryAgain = true,
  ): Promise<Response> {
    const transport = await this.#open()
    const headers = {
      ...ask.headers,
      'user-agent': this.#userAgent,
      ...(authorization !== undefined && { authorization }),
    }
    const path = `${this.#access.server.pathname.replace(/\/$/, '')}${ask.path}`
    try {
      return await send(transport, { ...ask, path, headers, answerLimitMs: this.#times.answerLimitMs })
    } catch (error) {
      // A server ends its connection to who shows a token that it refuses: it was on its way on the same connection.
      if (mayTryAgain && !ask.signal.aborted && wasNotProcessed(error)) {
        await this.#forget(transport)
        return this.#send(ask, authorization, send, false)
      }
      // The next request begins with new certificates, and asks again for HTTP/2. A session ends by itself.
      if (!ask.signal.aborted && transport.protocol !== 'h2') this.#drop(transport)
      throw error
    }
  }

  #open(): Promise<ApiTransport> {
    const { server } = this.#access
    if (this.#closing.signal.aborted) throw new ApiFailure(0, 'the connection is closed')
    const onGone = (transport: ApiTransport) => void this.#forget(transport)
    this.#transport ??= openTransport(
      server,
      () => this.#access.tls(),
      this.#times,
      this.#closing.signal,
      onGone,
    ).catch(error => {
      this.#transport = undefined
      throw error
    })
    return this.#transport
  }

  /** `only`: unless there is another by now. */
  #drop(only?: ApiTransport): void {
    const dropped = this.#transport
    if (!dropped) return
    void dropped.then(
      transport => {
        if (only && transport !== only) return
        if (this.#transport === dropped) this.#transport = undefined
        transport.close()
      },
      () => {},
    )
    if (!only) this.#transport = undefined
  }

  /** It takes no new requests; those that it has go on. */
  async #forget(transport: ApiTransport): Promise<void> {
    const current = this.#transport
    await current?.then(
      each => {
        if (each === transport && this.#transport === current) this.#transport = undefined
      },
      () => {},
    )
  }
}
