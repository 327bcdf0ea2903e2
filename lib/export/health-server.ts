// Answers a kubelet's probes by HTTP: /livez whether we answer at all, /startupz whether the start is over, /readyz whether
// we observe what we should.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'

export interface HealthServerParts {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Why we are not ready, one reason a line; empty: we are. */
  readonly notReady: () => readonly string[]
  readonly log: Log
}

interface StartState {
  starting: boolean
}

type AnswerParts = HealthServerParts & Readonly<StartState>

interface Answer {
  readonly status: number
  readonly lines: readonly string[]
}

const refusal: Answer = { status: 405, lines: ['not allowed; only GET is'] }
const maxClients = 16
/** A probe asks at once. */
const patienceMs = 5_000

/** Throws a Failure when nobody can listen there. */
export async function startHealthServer(parts: HealthServerParts): Promise<HealthServer> {
  const { host, port, log } = parts
  const limits = {
    headersTimeout: patienceMs,
    requestTimeout: patienceMs,
    keepAliveTimeout: 1,
    connectionsCheckingInterval: 1_000,
  }
  const state = { starting: true }
  const server = createServer(limits, (request, response) => answer(request, response, { ...parts, ...state }))
  server.maxConnections = maxClients
  const endpoint = `${host}:${port}`
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const cause = code === 'EADDRINUSE' ? 'another program listens there' : message
    const remedy = 'set extensions.health_check.endpoint to another port'
    throw new Failure({ step: 'answer health checks at', subject: endpoint, cause, remedy })
  }
  server.on('error', error => log.error({ error }, `health check: ${endpoint}`))
  return new HealthServer(server, state)
}

export class HealthServer {
  readonly #server: Server
  readonly #state: StartState

  constructor(server: Server, state: StartState) {
    this.#server = server
    this.#state = state
  }

  /** The start is over, whatever came of it. */
  started(): void {
    this.#state.starting = false
  }

  /** `127.0.0.1:13133`. */
  get endpoint(): string {
    const { address, port, family } = this.#server.address() as AddressInfo
    return `${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }
}

function answer({ method, url }: IncomingMessage, response: ServerResponse, parts: AnswerParts): void {
  const { status, lines } = method === 'GET' || method === 'HEAD' ? answerTo(url, parts) : refusal
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', connection: 'close' }
  response.writeHead(status, status === 405 ? { ...headers, allow: 'GET, HEAD' } : headers)
  response.end(`${lines.join('\n')}\n`)
}

function answerTo(url: string | undefined, { notReady, starting }: AnswerParts): Answer {
  const path = url?.split('?', 1)[0]
  if (path === '/livez') return { status: 200, lines: ['ok'] }
  if (path === '/startupz') return starting ? { status: 503, lines: ['starting'] } : { status: 200, lines: ['ok'] }
  if (path !== '/readyz') return { status: 404, lines: ['no such path; there are /livez, /startupz and /readyz'] }
  const reasons = notReady()
  return reasons.length === 0 ? { status: 200, lines: ['ok'] } : { status: 503, lines: reasons }
}
