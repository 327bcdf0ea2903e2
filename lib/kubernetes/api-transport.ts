// One connection: HTTP/2 with a ping that finds a dead one; HTTP/1.1 where something between us speaks no other.
import { Agent as PlainAgent, request as plainRequest, type RequestOptions } from 'node:http'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  connect as openHttp2,
} from 'node:http2'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { ApiFailure } from './api-failure.ts'

export interface ApiResponse {
  readonly status: number
  /** What the server asks us to wait, ms. */
  readonly retryAfterMs?: number
  /** To be read to its end, or destroyed. */
  readonly body: Readable
  /** Resolves when the other end of this very connection answers, false: it will not. Absent: it can't be asked. */
  readonly ping?: () => Promise<boolean>
}

export interface ApiCall {
  readonly method: 'GET' | 'POST'
  /** With the server's own prefix. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** All that is sent, or what is sent first. */
  readonly body?: string
  readonly signal: AbortSignal
  /** From the request to the head of its answer. */
  readonly answerLimitMs: number
}

/** Both sides send as long as they like. */
export interface Conversation extends ApiResponse {
  readonly sending: Writable
}

export interface ConnectionTimes {
  readonly connectLimitMs: number
  /** From the request to the head of its answer. */
  readonly answerLimitMs: number
  /** A connection is dead when a ping is not answered. */
  readonly pingEveryMs: number
  readonly pingLimitMs: number
}

/** What the server may send before we have read it, of a stream and of all: enough for a LIST at 100 MB/s. */
const WINDOW_BYTES = 1024 * 1024
const RETRY_AFTER_LIMIT_S = 300
/** Of those who want to know at once. Node sends no more than ten without an answer, and one of them has to find a dead connection. */
const MOST_PINGS = 4

/** The connection was at its end already. */
const UNSENT = new Set(['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION'])

export interface ApiTransport {
  readonly protocol: 'h2' | 'http/1.1'
  /** Throws when there is no answer; any status is one. */
  call(call: ApiCall): Promise<ApiResponse>
  converse(call: ApiCall): Promise<Conversation>
  close(): void
}

/** The server has not looked at the request, which may be sent again whatever it asks for (RFC 9113, 8.7). */
export function wasNotProcessed(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException
  return UNSENT.has(code ?? '') || (code === 'ERR_HTTP2_STREAM_ERROR' && message.includes('NGHTTP2_REFUSED_STREAM'))
}

/** `onGone`: it takes no new requests; those that it has go on. */
export async function openTransport(
  server: URL,
  tls: () => Promise<ConnectionOptions>,
  times: ConnectionTimes,
  closing: AbortSignal,
  onGone: (transport: ApiTransport) => void,
): Promise<ApiTransport> {
  if (server.protocol === 'http:') return plainTransport(server, new PlainAgent({ keepAlive: true }))
  const options = await tls()
  const socket = await secured(server, options, times.connectLimitMs, closing)
  if (socket.alpnProtocol === 'h2') return http2Transport(server, socket, times, onGone)
  socket.destroy()
  return plainTransport(server, new TlsAgent({ ...options, keepAlive: true }))
}

function http2Transport(
  server: URL,
  socket: TLSSocket,
  times: ConnectionTimes,
  onGone: (transport: ApiTransport) => void,
): ApiTransport {
  const settings = { enablePush: false, initialWindowSize: WINDOW_BYTES }
  const session = openHttp2(server, { createConnection: () => socket, settings })
  const waiting = { count: 0 }
  const ping = () => pinged(session, waiting)
  const transport: ApiTransport = {
    protocol: 'h2',
    call: async call => ({ ...(await conversationOver(session, call, false)), ping }),
    converse: async call => ({ ...(await conversationOver(session, call, true)), ping }),
    close: () => session.destroy(),
  }
  const isGone = () => onGone(transport)
  // Each stream has the error too.
  session.on('error', isGone)
  session.on('goaway', isGone)
  session.on('close', isGone)
  session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES * 4))
  pingForEver(session, times)
  return transport
}

function pingForEver(session: ClientHttp2Session, { pingEveryMs, pingLimitMs }: ConnectionTimes): void {
  const timer = setInterval(() => {
    if (session.destroyed) return
    const silent = new Error(`no answer to a ping within ${pingLimitMs / 1000} s`)
    const limit = setTimeout(() => session.destroy(silent), pingLimitMs)
    const isSent = session.ping(() => clearTimeout(limit))
    if (!isSent) clearTimeout(limit)
  }, pingEveryMs)
  session.once('close', () => clearInterval(timer))
}

/** `waiting`: pings of the session that are not answered. */
function pinged(session: ClientHttp2Session, waiting: { count: number }): Promise<boolean> {
  return new Promise(resolve => {
    if (session.destroyed || session.closed || waiting.count >= MOST_PINGS) return resolve(false)
    const answered = (error: Error | null) => {
      waiting.count--
      resolve(error === null)
    }
    waiting.count++
    if (!session.ping(answered)) answered(new Error('it was not sent'))
  })
}

function plainTransport(server: URL, agent: PlainAgent | TlsAgent): ApiTransport {
  return {
    protocol: 'http/1.1',
    call: call => plainAnswerOf(server, agent, call),
    converse: async () => {
      throw new ApiFailure(0, 'it speaks no HTTP/2')
    },
    close: () => agent.destroy(),
  }
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

function conversationOver(session: ClientHttp2Session, call: ApiCall, goesOn: boolean): Promise<Conversation> {
  const { method, path, headers, body, signal, answerLimitMs } = call
  return new Promise((resolve, reject) => {
    const asked = { ':method': method, ':path': path, ...headers }
    const endStream = body === undefined && !goesOn
    const stream: ClientHttp2Stream = session.request(asked, { endStream, signal })
    const late = new ApiFailure(0, `no answer within ${answerLimitMs / 1000} s`)
    const limit = setTimeout(() => stream.destroy(late), answerLimitMs)
    stream.on('error', reject)
    stream.once('close', () => {
      clearTimeout(limit)
      reject(new ApiFailure(0, 'the connection was closed before an answer'))
    })
    stream.once('response', received => {
      clearTimeout(limit)
      const response = responseOf(Number(received[':status']), received, stream)
      resolve({ ...response, sending: stream })
    })
    if (body !== undefined) stream.write(body)
    if (!goesOn && !endStream) stream.end()
  })
}

function plainAnswerOf(server: URL, agent: PlainAgent | TlsAgent, call: ApiCall): Promise<ApiResponse> {
  const { method, path, headers, body, signal, answerLimitMs } = call
  return new Promise((resolve, reject) => {
    const request = server.protocol === 'http:' ? plainRequest : tlsRequest
    const options: RequestOptions = { agent, method, path, headers, signal }
    const sent = request(new URL(server.origin), options, answer => {
      clearTimeout(limit)
      resolve(responseOf(answer.statusCode ?? 0, answer.headers, answer))
    })
    const late = new ApiFailure(0, `no answer within ${answerLimitMs / 1000} s`)
    const limit = setTimeout(() => sent.destroy(late), answerLimitMs)
    // A half-open connection: the kernel asks, ten times in 10 s, after 20 s of silence.
    sent.on('socket', socket => socket.setKeepAlive(true, 20_000))
    sent.on('error', reject)
    sent.once('close', () => {
      clearTimeout(limit)
      reject(new ApiFailure(0, 'the connection was closed before an answer'))
    })
    sent.end(body)
  })
}

function responseOf(status: number, headers: IncomingHttpHeaders, body: Readable): ApiResponse {
  const seconds = Number(headers['retry-after'])
  // Who stopped reading does not hear of an error any more.
  body.on('error', () => {})
  if (!(seconds > 0)) return { status, body }
  return { status, body, retryAfterMs: Math.min(seconds, RETRY_AFTER_LIMIT_S) * 1000 }
}
