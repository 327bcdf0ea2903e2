// The one connection to the API server: HTTP/2 with a ping that finds a dead one; HTTP/1.1 where something between us speaks no other.
import { Agent as PlainAgent, request as plainRequest, type RequestOptions } from 'node:http'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  connect as openHttp2,
} from 'node:http2'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { Readable } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { ApiFailure } from './api-failure.ts'
import type { ClusterAccess } from './cluster-access.ts'

export interface ApiResponse {
  readonly status: number
  /** What the server asks us to wait, ms. */
  readonly retryAfterMs?: number
  /** To be read to its end, or destroyed. */
  readonly body: Readable
}

export interface ConnectionTimes {
  readonly connectLimitMs: number
  /** From the request to the head of its answer. */
  readonly answerLimitMs: number
  /** A connection is dead when a ping is not answered. */
  readonly pingEveryMs: number
  readonly pingLimitMs: number
}

/** A dead connection is found within 40 s. */
export const CONNECTION_TIMES: ConnectionTimes = {
  connectLimitMs: 10_000,
  answerLimitMs: 60_000,
  pingEveryMs: 20_000,
  pingLimitMs: 20_000,
}

/** What the server may send before we have read it, of a stream and of all: enough for a LIST at 100 MB/s. */
const WINDOW_BYTES = 1024 * 1024
const RETRY_AFTER_LIMIT_S = 300

type Transport =
  | { readonly protocol: 'h2'; readonly session: ClientHttp2Session; readonly close: () => void }
  | { readonly protocol: 'http/1.1'; readonly agent: PlainAgent | TlsAgent; readonly close: () => void }

export class ClusterConnection {
  readonly #access: ClusterAccess
  readonly #times: ConnectionTimes
  readonly #userAgent: string
  #transport: Promise<Transport> | undefined
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
  async get(path: string, accept: string, signal: AbortSignal): Promise<ApiResponse> {
    const authorization = await this.#access.authorization(false)
    const response = await this.#get(path, headersOf(accept, this.#userAgent, authorization), signal)
    if (response.status !== 401) return response
    const renewed = await this.#access.authorization(true)
    if (renewed === authorization) return response
    response.body.destroy()
    return this.#get(path, headersOf(accept, this.#userAgent, renewed), signal)
  }

  close(): void {
    this.#closing.abort()
    this.#drop()
  }

  async #get(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<ApiResponse> {
    const transport = await this.#open()
    const target = `${this.#access.server.pathname.replace(/\/$/, '')}${path}`
    try {
      if (transport.protocol === 'h2')
        return await answerOf(transport.session, target, headers, signal, this.#times.answerLimitMs)
      const options = { agent: transport.agent, path: target, headers, signal }
      return await plainAnswerOf(this.#access.server, options, this.#times.answerLimitMs)
    } catch (error) {
      // The next request begins with new certificates, and asks again for HTTP/2. A session ends by itself.
      if (!signal.aborted && transport.protocol !== 'h2') this.#drop(transport)
      throw error
    }
  }

  #open(): Promise<Transport> {
    if (this.#closing.signal.aborted) throw new ApiFailure(0, 'the connection is closed')
    this.#transport ??= this.#connect().catch(error => {
      this.#transport = undefined
      throw error
    })
    return this.#transport
  }

  /** `only`: unless there is another by now. */
  #drop(only?: Transport): void {
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

  async #connect(): Promise<Transport> {
    const { server } = this.#access
    if (server.protocol === 'http:') return plain(new PlainAgent({ keepAlive: true }))
    const tls = await this.#access.tls()
    const socket = await secured(server, tls, this.#times.connectLimitMs, this.#closing.signal)
    if (socket.alpnProtocol === 'h2') return this.#session(server, socket)
    socket.destroy()
    return plain(new TlsAgent({ ...tls, keepAlive: true }))
  }

  #session(server: URL, socket: TLSSocket): Transport {
    const settings = { enablePush: false, initialWindowSize: WINDOW_BYTES }
    const session = openHttp2(server, { createConnection: () => socket, settings })
    const transport: Transport = { protocol: 'h2', session, close: () => session.destroy() }
    const isGone = () => this.#forget(transport)
    // Each stream has the error too.
    session.on('error', isGone)
    session.on('goaway', isGone)
    session.on('close', isGone)
    session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES * 4))
    this.#pingForEver(session)
    return transport
  }

  /** It takes no new requests; those that it has go on. */
  #forget(transport: Transport): void {
    const current = this.#transport
    void current?.then(
      each => {
        if (each === transport && this.#transport === current) this.#transport = undefined
      },
      () => {},
    )
  }

  #pingForEver(session: ClientHttp2Session): void {
    const { pingEveryMs, pingLimitMs } = this.#times
    const timer = setInterval(() => {
      if (session.destroyed) return
      const silent = new Error(`no answer to a ping within ${pingLimitMs / 1000} s`)
      const limit = setTimeout(() => session.destroy(silent), pingLimitMs)
      const isSent = session.ping(() => clearTimeout(limit))
      if (!isSent) clearTimeout(limit)
    }, pingEveryMs)
    session.once('close', () => clearInterval(timer))
  }
}

function plain(agent: PlainAgent | TlsAgent): Transport {
  return { protocol: 'http/1.1', agent, close: () => agent.destroy() }
}

function headersOf(accept: string, userAgent: string, authorization: string | undefined): Record<string, string> {
  return { accept, 'user-agent': userAgent, ...(authorization !== undefined && { authorization }) }
}

function secured(server: URL, tls: ConnectionOptions, limitMs: number, closing: AbortSignal): Promise<TLSSocket> {
  const host = server.hostname.replace(/^\[|\]$/g, '')
  const servername = tls.servername ?? (isIP(host) ? undefined : host)
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      ...tls,
      ...{ host, port: Number(server.port) || 443, ALPNProtocols: ['h2', 'http/1.1'] },
      ...(servername !== undefined && { servername }),
    })
    const giveUp = (why: string) => socket.destroy(new ApiFailure(0, why))
    const limit = setTimeout(() => giveUp(`no TLS connection within ${limitMs / 1000} s`), limitMs)
    const onClosing = () => giveUp('the connection is closed')
    closing.addEventListener('abort', onClosing)
    const settled = () => {
      clearTimeout(limit)
      closing.removeEventListener('abort', onClosing)
    }
    socket.once('secureConnect', () => {
      settled()
      socket.off('error', reject)
      resolve(socket)
    })
    socket.once('error', reject)
    socket.once('close', settled)
  })
}

function answerOf(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal,
  limitMs: number,
): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const stream: ClientHttp2Stream = session.request({ ':path': path, ...headers }, { endStream: true, signal })
    const limit = setTimeout(() => stream.destroy(new ApiFailure(0, `no answer within ${limitMs / 1000} s`)), limitMs)
    stream.on('error', reject)
    stream.once('close', () => {
      clearTimeout(limit)
      reject(new ApiFailure(0, 'the connection was closed before an answer'))
    })
    stream.once('response', received => {
      clearTimeout(limit)
      resolve(responseOf(Number(received[':status']), received, stream))
    })
  })
}

function plainAnswerOf(server: URL, options: RequestOptions, limitMs: number): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const request = server.protocol === 'http:' ? plainRequest : tlsRequest
    const sent = request(new URL(server.origin), options, answer => {
      clearTimeout(limit)
      resolve(responseOf(answer.statusCode ?? 0, answer.headers, answer))
    })
    const limit = setTimeout(() => sent.destroy(new ApiFailure(0, `no answer within ${limitMs / 1000} s`)), limitMs)
    // A half-open connection: the kernel asks, ten times in 10 s, after 20 s of silence.
    sent.on('socket', socket => socket.setKeepAlive(true, 20_000))
    sent.on('error', reject)
    sent.once('close', () => {
      clearTimeout(limit)
      reject(new ApiFailure(0, 'the connection was closed before an answer'))
    })
    sent.end()
  })
}

function responseOf(status: number, headers: IncomingHttpHeaders, body: Readable): ApiResponse {
  const seconds = Number(headers['retry-after'])
  // Who stopped reading does not hear of an error any more.
  body.on('error', () => {})
  if (!(seconds > 0)) return { status, body }
  return { status, body, retryAfterMs: Math.min(seconds, RETRY_AFTER_LIMIT_S) * 1000 }
}
