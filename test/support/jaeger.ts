// A real Jaeger with its storage in memory: spans by OTLP, and what its pages ask for.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureServer, freePorts, ServerProcess } from './server-process.ts'

export interface JaegerSpan {
  traceID: string
  spanID: string
  operationName: string
  references: { refType: string; traceID: string; spanID: string }[]
  startTime: number
  duration: number
  tags: { key: string; type: string; value: unknown }[]
  processID: string
}

export interface JaegerTrace {
  traceID: string
  spans: JaegerSpan[]
  processes: Record<string, { serviceName: string; tags: { key: string; value: unknown }[] }>
}

/** An edge of the service map. */
export interface Dependency {
  readonly parent: string
  readonly child: string
  readonly callCount: number
}

export class Jaeger {
  readonly grpcPort: number
  readonly httpPort: number
  readonly process: ServerProcess
  readonly #query: string

  constructor(process: ServerProcess, ports: readonly number[]) {
    this.process = process
    this.grpcPort = ports[0]!
    this.httpPort = ports[1]!
    this.#query = `http://127.0.0.1:${ports[2]}`
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.grpcPort}`
  }

  get httpEndpoint(): string {
    return `http://127.0.0.1:${this.httpPort}`
  }

  async services(): Promise<string[]> {
    return ((await this.#get('/api/services')) as { data: string[] | null }).data ?? []
  }

  async traces(service: string, limit = 1000): Promise<JaegerTrace[]> {
    const path = `/api/traces?service=${encodeURIComponent(service)}&limit=${limit}&lookback=1h`
    return ((await this.#get(path)) as { data: JaegerTrace[] | null }).data ?? []
  }

  /** undefined: it is not there (yet). */
  async trace(traceId: string): Promise<JaegerTrace | undefined> {
    const response = await fetch(`${this.#query}/api/traces/${traceId}`)
    if (response.status === 404) return undefined
    return ((await response.json()) as { data: JaegerTrace[] }).data[0]
  }

  /** The service map of the time before `endMs`. */
  async dependencies(endMs: number, lookbackMs = 3_600_000): Promise<Dependency[]> {
    const path = `/api/dependencies?endTs=${Math.ceil(endMs)}&lookback=${lookbackMs}`
    const answer = (await this.#get(path)) as { data?: Dependency[] | null } | Dependency[]
    return Array.isArray(answer) ? answer : (answer.data ?? [])
  }

  /** All of it is in memory, and a polite end takes long. */
  async stop(): Promise<void> {
    await this.process.kill()
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(this.#query + path)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
}

/** Ready to receive when it resolves. */
export async function startJaeger({ folder }: { folder: string }): Promise<Jaeger> {
  const program = join(await ensureServer('jaeger', '1.76.0'), 'jaeger')
  const ports = await freePorts(4)
  const file = join(folder, 'jaeger.yaml')
  writeFileSync(file, config(ports))
  const server = new ServerProcess({
    name: 'Jaeger',
    command: [program, '--config', file],
    ready: /Everything is ready/,
  })
  await server.start()
  return new Jaeger(server, ports)
}

function config([grpc, http, query, queryGrpc]: readonly number[]): string {
  const local = (port: number | undefined) => `{ endpoint: "127.0.0.1:${port}" }`
  return `
extensions:
  jaeger_storage: { backends: { memory: { memory: { max_traces: 100000 } } } }
  jaeger_query: { storage: { traces: memory }, http: ${local(query)}, grpc: ${local(queryGrpc)} }
receivers:
  otlp: { protocols: { grpc: ${local(grpc)}, http: ${local(http)} } }
exporters:
  jaeger_storage_exporter: { trace_storage: memory }
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: { metrics: { level: none } }
  pipelines: { traces: { receivers: [otlp], exporters: [jaeger_storage_exporter] } }
`
}
