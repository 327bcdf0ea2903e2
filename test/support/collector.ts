// A real OpenTelemetry Collector on free ports, whose file output is what tests assert on.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  hasValue,
  linesOf,
  type OtlpLogsRequest,
  type OtlpMetric,
  type OtlpPoint,
  type OtlpRequest,
  type OtlpTraceRequest,
  valueText,
  type Where,
} from './collected-otlp.ts'
import { ensureServer, freePorts, ServerProcess } from './server-process.ts'

export type { OtlpAttribute, OtlpPoint, OtlpRequest, Where } from './collected-otlp.ts'
export { freePort } from './server-process.ts'

const LOOPBACK = '127.0.0.1'
const NSENTER = '/usr/bin/nsenter'

/** Takes all three signals by gRPC and HTTP, and writes them to one file. */
const defaultConfig = `
receivers:
  otlp:
    protocols:
      grpc: { endpoint: "\${env:HOST}:\${env:GRPC_PORT}" }
      http: { endpoint: "\${env:HOST}:\${env:HTTP_PORT}" }
exporters:
  file: { path: "\${env:OUT}", append: true, flush_interval: 100ms }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    metrics: { receivers: [otlp], exporters: [file] }
    traces: { receivers: [otlp], exporters: [file] }
    logs: { receivers: [otlp], exporters: [file] }
`

/** Elsewhere than on loopback. */
export interface CollectorPlace {
  /** Path of a network namespace. */
  readonly netns: string
  /** An IPv4 address there. */
  readonly address: string
}

export interface CollectorOptions {
  readonly folder: string
  readonly at?: CollectorPlace
  /** Instead of the one that writes all three signals to `OUT`; it may read `HOST`, `GRPC_PORT`, `HTTP_PORT` and `OUT`. */
  readonly config?: string
}

interface Ports {
  readonly grpc: number
  readonly http: number
}

export class Collector {
  readonly grpcPort: number
  readonly httpPort: number
  readonly file: string
  readonly process: ServerProcess
  readonly #configFile: string
  readonly #options: CollectorOptions
  #config: string

  constructor(program: string, ports: Ports, options: CollectorOptions) {
    const { folder, at } = options
    this.grpcPort = ports.grpc
    this.httpPort = ports.http
    this.#options = options
    this.#config = options.config ?? defaultConfig
    this.file = join(folder, 'otlp.jsonl')
    this.#configFile = join(folder, 'otelcol.yaml')
    const command = [program, '--config', this.#configFile]
    this.process = new ServerProcess({
      name: 'the Collector',
      command: at ? [NSENTER, `--net=${at.netns}`, ...command] : command,
      env: {
        HOST: at?.address ?? LOOPBACK,
        GRPC_PORT: String(this.grpcPort),
        HTTP_PORT: String(this.httpPort),
        OUT: this.file,
      },
      ready: /Everything is ready/,
    })
  }

  get endpoint(): string {
    return `http://${this.#options.at?.address ?? LOOPBACK}:${this.grpcPort}`
  }

  get httpEndpoint(): string {
    return `http://${this.#options.at?.address ?? LOOPBACK}:${this.httpPort}`
  }

  /** Starts it again after `stop` or `kill`, on the same ports and file. */
  async restart(): Promise<void> {
    writeFileSync(this.#configFile, this.#config)
    await this.process.start()
  }

  /** Another configuration, from the next start on. */
  give(config: string): void {
    this.#config = config
  }

  /** Ends it politely: its file is complete afterwards. */
  async stop(): Promise<void> {
    await this.process.stop()
  }

  async kill(): Promise<void> {
    await this.process.kill()
  }

  /** Requests of metrics, in the order of arrival. */
  requests(): OtlpRequest[] {
    return (linesOf(this.file) as Partial<OtlpRequest>[]).filter(isOfMetrics)
  }

  traceRequests(): OtlpTraceRequest[] {
    return (linesOf(this.file) as Partial<OtlpTraceRequest>[]).filter(isOfTraces)
  }

  logsRequests(): OtlpLogsRequest[] {
    return (linesOf(this.file) as Partial<OtlpLogsRequest>[]).filter(isOfLogs)
  }

  /** Every point of one metric that has a value, in the order of arrival. */
  points(metric: string, where: Where = {}): OtlpPoint[] {
    const points: OtlpPoint[] = []
    for (const request of this.requests()) {
      for (const found of metricsOf(request)) {
        if (found.name !== metric) continue
        for (const point of found.sum?.dataPoints ?? found.gauge?.dataPoints ?? []) {
          if (hasValue(point) && matches(point, where)) points.push(point)
        }
      }
    }
    return points
  }

  /** The last value of each series (attributes and start time), added up. */
  sums(metric: string, where: Where = {}): bigint {
    const last = new Map<string, bigint>()
    for (const point of this.points(metric, where)) last.set(seriesKey(point), integerOf(point))
    let sum = 0n
    for (const value of last.values()) sum += value
    return sum
  }
}

/** Ready to receive when it resolves. The caller ends it with `stop` or `kill`. */
export async function startCollector(options: CollectorOptions): Promise<Collector> {
  const collector = await prepareCollector(options)
  await collector.restart()
  return collector
}

export async function collectorProgram(): Promise<string> {
  return join(await ensureServer('otelcol', '0.155.0-filter'), 'otelcol')
}

/** A Collector that is down until `restart`, on ports that nobody listens on. */
export async function prepareCollector(options: CollectorOptions): Promise<Collector> {
  const program = await collectorProgram()
  const [grpc, http] = await freePorts(2)
  return new Collector(program, { grpc: grpc!, http: http! }, options)
}

function isOfMetrics(line: Partial<OtlpRequest>): line is OtlpRequest {
  return line.resourceMetrics !== undefined
}

function isOfTraces(line: Partial<OtlpTraceRequest>): line is OtlpTraceRequest {
  return line.resourceSpans !== undefined
}

function isOfLogs(line: Partial<OtlpLogsRequest>): line is OtlpLogsRequest {
  return line.resourceLogs !== undefined
}

function metricsOf(request: OtlpRequest): OtlpMetric[] {
  return request.resourceMetrics.flatMap(resource => resource.scopeMetrics.flatMap(scope => scope.metrics))
}

function matches(point: OtlpPoint, where: Where): boolean {
  for (const [key, wanted] of Object.entries(where)) {
    const found = point.attributes?.find(attribute => attribute.key === key)
    if (!found || valueText(found.value) !== wanted) return false
  }
  return true
}

function seriesKey(point: OtlpPoint): string {
  const attributes = (point.attributes ?? []).map(({ key, value }) => JSON.stringify([key, value])).sort()
  return `${point.startTimeUnixNano} ${attributes.join(' ')}`
}

function integerOf(point: OtlpPoint): bigint {
  if (point.asInt !== undefined) return BigInt(point.asInt)
  if (Number.isSafeInteger(point.asDouble)) return BigInt(point.asDouble!)
  throw new Error(`not an integer: ${JSON.stringify(point)}`)
}
