// OTLP receivers that answer what they are told to, which no Collector does on demand.
import { once } from 'node:events'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps, type ServerOptions } from 'node:https'
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  type status,
} from '@grpc/grpc-js'
import type { Signal } from '../../lib/config/signal.ts'

export interface GrpcAnswer {
  readonly code?: status
  readonly details?: string
  /** google.rpc.Status. */
  readonly statusDetails?: Buffer
  readonly response?: Buffer
}

export interface ReceivedCall {
  readonly signal: Signal
  readonly metadata: Metadata
  readonly body: Buffer
}

const services: Readonly<Record<Signal, string>> = {
  metrics: 'metrics.v1.MetricsService',
  traces: 'trace.v1.TraceService',
  logs: 'logs.v1.LogsService',
}

const bytesAsTheyAre = (bytes: Buffer) => bytes

export class GrpcReceiver {
  readonly calls: ReceivedCall[] = []
  answer: GrpcAnswer = {}
  port = 0
  #server = new Server()

  async start(credentials = ServerCredentials.createInsecure(), port = 0): Promise<void> {
    this.#server = new Server()
    for (const [signal, service] of Object.entries(services) as [Signal, string][])
      this.#server.addService(
        {
          export: {
            path: `/opentelemetry.proto.collector.${service}/Export`,
            ...{ requestStream: false, responseStream: false },
            ...{ requestSerialize: bytesAsTheyAre, requestDeserialize: bytesAsTheyAre },
            ...{ responseSerialize: bytesAsTheyAre, responseDeserialize: bytesAsTheyAre },
          },
        },
        {
          export: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
            this.calls.push({ signal, metadata: call.metadata, body: call.request })
            this.#reply(done)
          },
        },
      )
    this.port = await new Promise((resolve, reject) =>
      this.#server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    )
  }

  #reply(done: sendUnaryData<Buffer>): void {
    const { code, details = '', statusDetails, response = Buffer.alloc(0) } = this.answer
    const metadata = new Metadata()
    if (statusDetails) metadata.set('grpc-status-details-bin', statusDetails)
    if (code) done({ code, details, metadata })
    else done(null, response)
  }

  stop(): void {
    this.#server.forceShutdown()
  }
}

export interface HttpRequest {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Another number for each connection. */
  readonly connection: number
}

export class HttpReceiver {
  readonly requests: HttpRequest[] = []
  readonly #server
  readonly #sockets = new Map<Socket, number>()
  answer: (response: ServerResponse, request: HttpRequest) => void = response => response.end()

  constructor(tls?: ServerOptions) {
    const listener = async (incoming: IncomingMessage, response: ServerResponse) => {
      const connection = this.#sockets.get(incoming.socket) ?? this.#sockets.size
      this.#sockets.set(incoming.socket, connection)
      const body = await buffer(incoming).catch(() => Buffer.alloc(0))
      const request = { path: incoming.url ?? '', headers: incoming.headers, body, connection }
      this.requests.push(request)
      this.answer(response, request)
    }
    this.#server = tls ? createHttps(tls, listener) : createHttp(listener)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async start(port = 0): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

/** Takes connections and does with each what it is told. */
export class RawReceiver {
  readonly sockets: Socket[] = []
  readonly #server: NetServer

  constructor(connected: (socket: Socket) => void = () => {}) {
    this.#server = createServer(socket => {
      this.sockets.push(socket)
      socket.on('error', () => {})
      connected(socket)
    })
  }

  async start(port = 0): Promise<number> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
  }
}

/** `partial_success` of an answer, in which all signals have the same field numbers. */
export function partialSuccess(rejected: number, message = ''): Buffer {
  return field(1, Buffer.concat([Buffer.from([0x08, ...varint(rejected)]), field(2, Buffer.from(message))]))
}

/** google.rpc.Status with a RetryInfo among other details. */
export function retryInfo(seconds: number, nanos = 0, message = 'later'): Buffer {
  const delay = Buffer.from([0x08, ...varint(seconds), 0x10, ...varint(nanos)])
  return Buffer.concat([
    Buffer.from([0x08, 8]),
    field(2, Buffer.from(message)),
    field(3, any('type.googleapis.com/google.rpc.DebugInfo', Buffer.from([0x12, 0]))),
    field(3, any('type.googleapis.com/google.rpc.RetryInfo', field(1, delay))),
  ])
}

function any(typeUrl: string, value: Buffer): Buffer {
  return Buffer.concat([field(1, Buffer.from(typeUrl)), field(2, value)])
}

function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(value.length)]), value])
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))]
}
