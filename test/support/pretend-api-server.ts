// An HTTP server in the place of the API server, for what a real one can't be made to do. It speaks HTTP/1.1 without TLS.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { systemClock } from '../../lib/host/clock.ts'
import type { ClusterAccess } from '../../lib/kubernetes/cluster-access.ts'
import { ClusterConnection } from '../../lib/kubernetes/cluster-connection.ts'

export interface PretendRequest {
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly atMs: number
}

export type Answer = (request: PretendRequest, response: ServerResponse, body?: IncomingMessage) => void

export class PretendApiServer {
  readonly requests: PretendRequest[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  answer: Answer

  private constructor(answer: Answer) {
    this.answer = answer
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://x')
      const { pathname: path, searchParams: query } = url
      const seen = { path, query, headers: request.headers, atMs: systemClock.monotonicMs() }
      this.requests.push(seen)
      this.answer(seen, response, request)
    })
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  static async start(answer: Answer): Promise<PretendApiServer> {
    const server = new PretendApiServer(answer)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  connection(access: Partial<ClusterAccess> = {}): ClusterConnection {
    const usual = { server: this.url, tls: async () => ({}), authorization: async () => undefined }
    return new ClusterConnection({ ...usual, ...access }, 'test')
  }

  /** Requests for a path since a moment. */
  since(atMs: number, path?: string): PretendRequest[] {
    return this.requests.filter(each => each.atMs >= atMs && (path === undefined || each.path === path))
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export function event(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`
}

export function bookmark(version: string, isEnd = false): string {
  const annotations = isEnd ? { 'k8s.io/initial-events-end': 'true' } : {}
  return event('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: version, annotations } })
}

export function pod(name: string, version = '1', more: object = {}) {
  const metadata = { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: version }
  return { metadata, spec: { nodeName: 'node-1' }, status: { phase: 'Running', podIPs: [{ ip: '10.1.0.1' }] }, ...more }
}

export function list(items: readonly object[], version: string, next?: string): string {
  const metadata = { resourceVersion: version, ...(next !== undefined && { continue: next }) }
  return JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata, items })
}

export function status(code: number, message: string): string {
  return JSON.stringify({ kind: 'Status', status: 'Failure', code, message })
}

/** With WatchList: all objects, the end mark, then an open watch. Who goes on from a version hears of all objects, too. */
export function wellBehaved(objects: () => readonly object[], version = () => '100'): Answer {
  return ({ query }, response) => {
    response.writeHead(200)
    if (query.get('watch') === null) return void response.end(list(objects(), version()))
    for (const object of objects()) response.write(event('ADDED', object))
    response.write(bookmark(version(), query.get('sendInitialEvents') === 'true'))
  }
}
