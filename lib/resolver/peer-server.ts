// Where agents ask: HTTP/2 over TLS, a stream for each.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ResolverConfig } from '../config/resolver.ts'
import type { ServerTlsConfig } from '../config/tls.ts'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'
import { AgentStream, type AgentStreamParts } from './agent-stream.ts'
import { PATH } from './messages.ts'

export interface PeerServerParts extends AgentStreamParts {
  readonly config: Pick<ResolverConfig, 'host' | 'port' | 'tls' | 'maxAgents'>
  /** For who asks how it is: an object of JSON. */
  readonly status: () => object
  readonly log: Log
}

const STATUS_PATH = '/v1/status'
const STREAMS_OF_CONNECTION = 8
const HEADER_BYTES = 32 * 1024
/** Connections that are not an agent's yet. */
const STRANGERS = 256
const HANDSHAKE_MS = 10_000
/** A connection without a stream. */
const IDLE_MS = 15_000
const RETRY_AFTER_S = 5
/** Of refusals with one reason. */
const TELL_AGAIN_MS = 60_000
const REASONS_LIMIT = 100

type Secrets = Readonly<Record<'cert' | 'key' | 'ca', string | undefined>>

/** Throws a Failure when nobody can listen there, or a file can't be read. */
export async function startPeerServer(parts: PeerServerParts): Promise<PeerServer> {
  const { host, port, tls, maxAgents } = parts.config
  const server = createSecureServer({
    ...secretsOf(tls),
    ...{ requestCert: tls.clientCaFile !== undefined, rejectUnauthorized: false, minVersion: `TLSv${tls.minVersion}` },
    ...{ handshakeTimeout: HANDSHAKE_MS, maxHeaderSize: HEADER_BYTES },
    settings: { maxConcurrentStreams: STREAMS_OF_CONNECTION, maxHeaderListSize: HEADER_BYTES, enablePush: false },
  })
  server.maxConnections = maxAgents + STRANGERS
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const cause = code === 'EADDRINUSE' ? 'another program listens there' : message
    const remedy = 'set resolver.endpoint to another address or port'
    throw new Failure({ step: 'answer agents at', subject: `${host}:${port}`, cause, remedy })
  }
  return new PeerServer(server, parts)
}

export class PeerServer {
  readonly #server: Http2SecureServer
  readonly #parts: PeerServerParts
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #streams = new Set<AgentStream>()
  readonly #toldAtMs = new Map<string, NodeJS.Timeout>()
  readonly #reading: NodeJS.Timeout | undefined
  #secrets: string

  constructor(server: Http2SecureServer, parts: PeerServerParts) {
    this.#server = server
    this.#parts = parts
    const { tls } = parts.config
    this.#secrets = JSON.stringify(secretsOf(tls))
    if (tls.reloadMs > 0) this.#reading = setInterval(() => this.#readAgain(), tls.reloadMs)
    server.on('error', error => parts.log.error({ error }, `resolver: ${error.message}`))
    server.on('session', session => this.#opened(session))
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => this.#asked(stream, headers))
    parts.nodes.onChange = () => setImmediate(() => this.#tellNodes())
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** That are served. */
  get agents(): number {
    return [...this.#streams].filter(({ session }) => session).length
  }

  async close(): Promise<void> {
    clearInterval(this.#reading)
    for (const timer of this.#toldAtMs.values()) clearTimeout(timer)
    for (const each of this.#streams) each.end('it is stopped')
    const closed = new Promise(resolve => this.#server.close(resolve))
    for (const session of this.#sessions) session.close()
    const force = setTimeout(() => {
      for (const session of this.#sessions) session.destroy()
    }, 1_500)
    await closed
    clearTimeout(force)
  }

  #opened(session: ServerHttp2Session): void {
    this.#sessions.add(session)
    session.on('error', () => {})
    let open = 0
    // Streams that are there have limits of their own.
    let idle = setTimeout(() => session.destroy(), IDLE_MS)
    session.on('stream', stream => {
      open++
      clearTimeout(idle)
      stream.once('close', () => {
        if (--open === 0) idle = setTimeout(() => session.destroy(), IDLE_MS)
      })
    })
    session.once('close', () => {
      clearTimeout(idle)
      this.#sessions.delete(session)
    })
  }

  #asked(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { ':path': path, ':method': method } = headers
    stream.on('error', () => {})
    if (path === STATUS_PATH && method === 'GET') return void this.#tellStatus(stream, headers)
    if (path !== PATH) return void answer(stream, 404, { message: 'there is nothing' })
    if (method !== 'POST') return void answer(stream, 405, { message: 'only POST is allowed' })
    if (this.#streams.size >= this.#parts.config.maxAgents)
      return void answer(stream, 503, { message: 'no more agents are taken here' }, RETRY_AFTER_S)
    const agent = new AgentStream(this.#parts, stream)
    this.#streams.add(agent)
    stream.once('close', () => this.#streams.delete(agent))
    void agent.serve(headers, isCertified(stream)).then(
      refused => refused && this.#tellOnce(stream, `${refused.status}: ${refused.reason}`),
      error => {
        this.#parts.log.error({ error }, `resolver: a mistake of ours: ${(error as Error).stack}`)
        stream.close()
      },
    )
  }

  async #tellStatus(stream: ServerHttp2Stream, { authorization }: IncomingHttpHeaders): Promise<void> {
    const refusal = await this.#parts.auth.refusal({ isCertified: isCertified(stream), authorization })
    if (refusal) answer(stream, refusal.status, { message: refusal.reason })
    else answer(stream, 200, this.#parts.status())
  }

  #tellNodes(): void {
    const changes = this.#parts.nodes.takeChanges()
    for (const { session } of this.#streams) session?.nodesChanged(changes)
  }

  /** Agents try again for ever: the log hears of each reason once a minute. */
  #tellOnce(stream: ServerHttp2Stream, reason: string): void {
    if (this.#toldAtMs.has(reason) || this.#toldAtMs.size >= REASONS_LIMIT) return
    const timer = setTimeout(() => this.#toldAtMs.delete(reason), TELL_AGAIN_MS)
    this.#toldAtMs.set(reason, timer)
    const from = (stream.session?.socket as TLSSocket | undefined)?.remoteAddress
    this.#parts.log.warn(`resolver: an agent at ${from ?? 'an unknown address'} is refused: ${reason}`)
  }

  #readAgain(): void {
    const { config, log } = this.#parts
    try {
      const secrets = secretsOf(config.tls)
      const text = JSON.stringify(secrets)
      if (text === this.#secrets) return
      this.#server.setSecureContext(secrets)
      this.#secrets = text
      log.info('resolver: certificates were read again')
    } catch (error) {
      log.error(`${(error as Error).message}; the certificates from before count`)
    }
  }
}

function isCertified(stream: ServerHttp2Stream): boolean {
  return (stream.session?.socket as TLSSocket | undefined)?.authorized === true
}

function answer(stream: ServerHttp2Stream, status: number, body: object, retryAfterS?: number): void {
  if (stream.destroyed) return
  const headers: OutgoingHttpHeaders = { ':status': status, 'content-type': 'application/json' }
  if (retryAfterS !== undefined) headers['retry-after'] = String(retryAfterS)
  stream.respond(headers)
  stream.end(JSON.stringify(body))
}

function secretsOf({ certFile, keyFile, clientCaFile }: ServerTlsConfig): Secrets {
  return { cert: read(certFile), key: read(keyFile), ca: clientCaFile === undefined ? undefined : read(clientCaFile) }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const remedy = 'let the resolver read it, or name another file in resolver.tls'
    throw new Failure({ step: 'read certificates', subject: file, cause: code ?? message, remedy })
  }
}
