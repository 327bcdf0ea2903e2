// Answers other programs of this machine: what the agent sees and how it is (docs/api.md).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { FilterProblem, parseFlowFilter } from '../config/flow-filter.ts'
import type { Log } from '../host/log.ts'
import { filteredFlows } from '../signals/filtered-flows.ts'
import { type FlowPredicate, predicateOf } from '../signals/flow-predicate.ts'
import type { FlowFeed } from '../signals/flow-record.ts'
import { listenOnSocket, socketPath } from './api-socket.ts'
import { FlowStream } from './flow-stream.ts'

export interface ApiServerParts {
  /** `unix:///PATH`. */
  readonly endpoint: string
  readonly feed: FlowFeed
  readonly log: Log
}

interface Refusal {
  readonly status: 400 | 404 | 405
  readonly error: string
}

const paths = ['/v1/status', '/v1/flows']
const maxClients = 32

/** Throws a Failure when the socket can't be opened. */
export async function startApiServer(parts: ApiServerParts): Promise<ApiServer> {
  const server = createServer((request, response) => {
    answer(request, response, parts).catch(error => {
      parts.log.error({ error }, 'api: a request failed')
      response.destroy()
    })
  })
  server.maxConnections = maxClients
  const path = socketPath(parts.endpoint)
  await listenOnSocket(server, path)
  server.on('error', error => parts.log.error({ error }, `api: ${path}`))
  return new ApiServer(server, path)
}

export class ApiServer {
  /** The socket's path. */
  readonly path: string
  readonly #server: Server

  constructor(server: Server, path: string) {
    this.#server = server
    this.path = path
  }

  /** Ends every client's connection and removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: ApiServerParts): Promise<void> {
  const asked = read(request)
  if ('error' in asked) return refuse(response, asked)
  if (asked.path === '/v1/status') return sendJson(response, 200, parts.feed.status())
  response.writeHead(200, { 'content-type': 'application/jsonl; charset=utf-8', 'cache-control': 'no-store' })
  response.flushHeaders()
  const feed = asked.fits ? filteredFlows(parts.feed, asked.fits) : parts.feed
  const end = await new FlowStream(response).send(feed, asked.follow)
  if (end === 'done') response.end()
  if (end !== 'slow') return
  parts.log.warn('api: a client of /v1/flows was dropped because it reads too slowly')
  response.destroy()
}

interface Asked {
  readonly path: string
  readonly follow: boolean
  /** Absent: every flow. */
  readonly fits?: FlowPredicate
}

function read(request: IncomingMessage): Asked | Refusal {
  if (!URL.canParse(request.url ?? '', 'http://podweir')) return { status: 400, error: 'malformed URL' }
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://podweir')
  if (!paths.includes(pathname)) return { status: 404, error: `no such path; there are ${paths.join(' and ')}` }
  if (request.method !== 'GET') return { status: 405, error: `${request.method} is not allowed; only GET is` }
  const follow = searchParams.get('follow')
  for (const key of searchParams.keys()) {
    if (key === 'follow' && pathname === '/v1/flows' && (follow === 'true' || follow === 'false')) continue
    if (key === 'filter' && pathname === '/v1/flows') continue
    return { status: 400, error: `malformed query at ${key}; /v1/flows takes follow=true or false, and filter=FILTER` }
  }
  try {
    const terms = parseFlowFilter(searchParams.get('filter') ?? '')
    return { path: pathname, follow: follow === 'true', ...(terms.length > 0 && { fits: predicateOf(terms) }) }
  } catch (error) {
    if (!(error instanceof FilterProblem)) throw error
    return { status: 400, error: `filter: ${error.message}` }
  }
}

function refuse(response: ServerResponse, { status, error }: Refusal): void {
  if (status === 405) response.setHeader('allow', 'GET')
  sendJson(response, status, { error })
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}
