// Takes OTLP by gRPC and by HTTP on one port with TLS, and knows who asked.
import { once } from 'node:events'
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureVersion, TLSSocket } from 'node:tls'
import { type CertificateFiles, pem } from './certificates.ts'

export interface SecureReceiverOptions extends CertificateFiles {
  /** Whoever asks must show a certificate of this authority. */
  readonly clientCaFile?: string
  readonly maxVersion?: SecureVersion
}

/** A message of no bytes: uncompressed, length 0. */
const EMPTY_MESSAGE = Buffer.alloc(5)

export class SecureReceiver {
  /** Of each request: the name on the client's certificate, if it showed one. */
  readonly clients: (string | undefined)[] = []
  /** The name that each client asked for. */
  readonly serverNames: (string | false | null)[] = []
  readonly #sockets = new Set<Socket>()
  #server: Http2SecureServer | undefined
  port = 0

  async start(options: SecureReceiverOptions): Promise<void> {
    const { certFile, keyFile, clientCaFile, maxVersion } = options
    this.#server = createSecureServer({
      allowHTTP1: true,
      cert: pem(certFile),
      key: pem(keyFile),
      ...(clientCaFile !== undefined && { ca: pem(clientCaFile), requestCert: true, rejectUnauthorized: true }),
      ...(maxVersion !== undefined && { minVersion: maxVersion, maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' }),
    })
    this.#server.on('request', (request, response) => this.#answer(request, response))
    this.#server.on('connection', (socket: Socket) => this.#sockets.add(socket.on('error', () => {})))
    this.#server.on('secureConnection', (socket: TLSSocket) => this.serverNames.push(socket.servername ?? null))
    this.#server.on('tlsClientError', () => {})
    this.#server.on('sessionError', () => {})
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  /** Ends all connections too. */
  async stop(): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>(resolve => server.close(() => resolve()))
  }

  #answer(request: Http2ServerRequest, response: Http2ServerResponse): void {
    const socket = (request.stream?.session?.socket ?? request.socket) as TLSSocket
    this.clients.push(socket.getPeerCertificate().subject?.CN as string | undefined)
    request.resume()
    request.once('end', () => {
      if (request.httpVersionMajor === 1) return void response.end()
      response.writeHead(200, { 'content-type': 'application/grpc' })
      response.addTrailers({ 'grpc-status': '0' })
      response.end(EMPTY_MESSAGE)
    })
  }
}
