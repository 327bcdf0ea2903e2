// An HTTP/2 server in the place of a resolver, for what a real one can't be made to do.
import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { systemClock } from '../../lib/host/clock.ts'
import { LineSplitter } from '../../lib/kubernetes/json-stream.ts'
import { line, PROTOCOL } from '../../lib/resolver/messages.ts'
import { type CertificateFiles, pem } from '../support/certificates.ts'

export type Behaviour = (stream: ServerHttp2Stream) => void

export class PretendResolver {
  /** Monotonic ms of each connection that was tried. */
  readonly connectedAtMs: number[] = []
  readonly #server: Http2SecureServer
  readonly #sockets = new Set<Socket>()
  behave: Behaviour = wellBehaved
  /** Called with each connection, before anything is said; true: nothing more comes of it. */
  refuses: (socket: Socket) => boolean = () => false

  private constructor({ certFile, keyFile }: CertificateFiles) {
    this.#server = createSecureServer({ cert: pem(certFile), key: pem(keyFile) })
    this.#server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {})
      this.behave(stream)
    })
    this.#server.on('session', (session: ServerHttp2Session) => session.on('error', () => {}))
    this.#server.on('sessionError', () => {})
    this.#server.on('tlsClientError', () => {})
    this.#server.on('connection', (socket: Socket) => {
      this.connectedAtMs.push(systemClock.monotonicMs())
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => this.#sockets.delete(socket))
      if (this.refuses(socket)) socket.removeAllListeners('readable')
    })
  }

  static async start(certificate: CertificateFiles): Promise<PretendResolver> {
    const resolver = new PretendResolver(certificate)
    resolver.#server.listen(0, '127.0.0.1')
    await once(resolver.#server, 'listening')
    return resolver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** With another certificate from now on. */
  show({ certFile, keyFile }: CertificateFiles): void {
    this.#server.setSecureContext({ cert: pem(certFile), key: pem(keyFile) })
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** Greets, knows nobody, and answers each mark. */
export function wellBehaved(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 })
  stream.write(line({ welcome: { protocol: PROTOCOL, resolver: 'pretend' } }))
  onLines(stream, text => answer(stream, text))
}

/** What a resolver that knows nobody says to a line. */
export function answer(stream: ServerHttp2Stream, text: string): void {
  const { mark, ask } = JSON.parse(text)
  if (ask) stream.write(line({ told: Object.fromEntries(Object.keys(ask).map(key => [key, { tag: 'nobody' }])) }))
  if (mark !== undefined) stream.write(line(markOf(mark)))
}

export function markOf(mark: number, more: object = {}) {
  return { mark, now: systemClock.nowMs(), behind: 0, since: 0, heard: {}, changed: {}, ...more }
}

export function onLines(stream: ServerHttp2Stream, each: (text: string) => void): void {
  const lines = new LineSplitter()
  stream.on('data', (chunk: Buffer) => {
    for (const text of lines.push(chunk)) each(text)
  })
}
