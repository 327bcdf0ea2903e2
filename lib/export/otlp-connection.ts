// Sends serialized requests to an OTLP/gRPC receiver. A connection that failed is dropped, and the next request dials
// anew: gRPC's own reconnecting waits up to 120 s between attempts, keeps the address and certificates it started with,
// and the SDK's transport passes no option that would change that.
import { type ChannelCredentials, type ChannelOptions, Client, type Metadata } from '@grpc/grpc-js'
import type { ExportResponse, IExporterTransport } from '@opentelemetry/otlp-exporter-base'
import type { Signal } from '../config/signal.ts'
import type { Clock } from '../host/clock.ts'
import { isBrokenConnection } from './otlp-failure.ts'

export interface OtlpConnectionOptions {
  readonly signal: Signal
  /** `host:port`. */
  readonly address: string
  /** Called for each new connection, so that renewed certificates are read. */
  readonly credentials: () => ChannelCredentials
  readonly metadata: () => Metadata
  readonly compression: 'gzip' | 'none'
  readonly clock: Clock
  /** The name that TLS is to expect, where it is not the address's. */
  readonly serverName?: string
  /** Whether `credentials` would be others now; asked before each request. */
  readonly isStale?: () => boolean
}

const exportPaths: Readonly<Record<Signal, string>> = {
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
}
const grpcGzip = 2

const channelOptions: ChannelOptions = {
  // Otherwise exporters of one endpoint share a connection, and none can drop it while another has it.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  'grpc.primary_user_agent': 'podweir',
}

const bytesAsTheyAre = (bytes: Buffer): Buffer => bytes

export class OtlpConnection implements IExporterTransport {
  readonly #options: OtlpConnectionOptions
  readonly #underWay = new Set<{ cancel(): void }>()
  #client: Client | undefined

  constructor(options: OtlpConnectionOptions) {
    this.#options = options
  }

  async send(data: Uint8Array, timeoutMillis: number): Promise<ExportResponse> {
    const request = Buffer.from(data.buffer, data.byteOffset, data.length)
    try {
      return { status: 'success', data: await this.#call(request, timeoutMillis) }
    } catch (error) {
      return { status: 'failure', error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  #call(request: Buffer, timeoutMillis: number): Promise<Buffer> {
    if (this.#client && this.#options.isStale?.()) this.#renew(this.#client)
    this.#client ??= this.#connect()
    const client = this.#client
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        exportPaths[this.#options.signal],
        bytesAsTheyAre,
        bytesAsTheyAre,
        request,
        this.#options.metadata(),
        { deadline: this.#options.clock.nowMs() + timeoutMillis },
        (error, response) => {
          this.#underWay.delete(call)
          if (!error) return resolve(response ?? Buffer.alloc(0))
          if (isBrokenConnection(error)) this.#drop(client)
          reject(error)
        },
      )
      this.#underWay.add(call)
    })
  }

  #connect(): Client {
    const { address, credentials, compression, serverName } = this.#options
    return new Client(address, credentials(), {
      ...channelOptions,
      ...(compression === 'gzip' && { 'grpc.default_compression_algorithm': grpcGzip }),
      ...(serverName !== undefined && { 'grpc.ssl_target_name_override': serverName }),
    })
  }

  /** Files that are just being replaced don't fit together: then the old connection is as good as it was. */
  #renew(client: Client): void {
    try {
      this.#client = this.#connect()
      client.close()
    } catch {}
  }

  #drop(client: Client): void {
    client.close()
    if (this.#client === client) this.#client = undefined
  }

  /** Gives up what is still under way. */
  shutdown(): void {
    for (const call of this.#underWay) call.cancel()
    if (this.#client) this.#drop(this.#client)
  }
}
