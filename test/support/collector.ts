// A real OpenTelemetry Collector on a free port, whose file output is what tests assert on.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const recipe = new URL('./servers/build-servers.sh', import.meta.url).pathname
const version = 'otelcol-0.155.0'
const LOOPBACK = '127.0.0.1'
const NSENTER = '/usr/bin/nsenter'

const config = `
receivers:
  otlp:
    protocols:
      grpc: { endpoint: "\${env:HOST}:\${env:GRPC_PORT}" }
exporters:
  file: { path: "\${env:OUT}", append: true, flush_interval: 100ms }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    metrics: { receivers: [otlp], exporters: [file] }
`

export interface OtlpValue {
  stringValue?: string
  intValue?: string
  doubleValue?: number
  boolValue?: boolean
  arrayValue?: { values?: OtlpValue[] }
}

export interface OtlpAttribute {
  key: string
  value: OtlpValue
}

export interface OtlpPoint {
  attributes?: OtlpAttribute[]
  startTimeUnixNano?: string
  timeUnixNano?: string
  asInt?: string
  asDouble?: number
}

export interface OtlpMetric {
  name: string
  unit?: string
  description?: string
  sum?: { dataPoints: OtlpPoint[]; aggregationTemporality: number; isMonotonic?: boolean }
  gauge?: { dataPoints: OtlpPoint[] }
}

/** One line of the file: one request as it arrived. */
export interface OtlpRequest {
  resourceMetrics: {
    resource: { attributes?: OtlpAttribute[] }
    scopeMetrics: { scope: { name?: string; version?: string }; metrics: OtlpMetric[] }[]
  }[]
}

/** Attributes that a point must have; values as text. */
export type Where = Readonly<Record<string, string>>

/** Elsewhere than on loopback. */
export interface CollectorPlace {
  /** Path of a network namespace. */
  readonly netns: string
  /** An IPv4 address there. */
  readonly address: string
}

export class Collector {
  readonly grpcPort: number
  readonly file: string
  readonly #configFile: string
  readonly #at: CollectorPlace | undefined
  #process: ChildProcess | undefined

  constructor(folder: string, grpcPort: number, at?: CollectorPlace) {
    this.grpcPort = grpcPort
    this.#at = at
    this.file = join(folder, 'otlp.jsonl')
    this.#configFile = join(folder, 'otelcol.yaml')
  }

  get endpoint(): string {
    return `http://${this.#at?.address ?? LOOPBACK}:${this.grpcPort}`
  }

  /** Starts it again after `stop` or `kill`, on the same port and file. */
  async restart(): Promise<void> {
    if (this.#process) throw new Error('the Collector is running')
    writeFileSync(this.#configFile, config)
    const command = [join(serversFolder(), version, 'otelcol'), '--config', this.#configFile]
    const [program, ...args] = this.#at ? [NSENTER, `--net=${this.#at.netns}`, ...command] : command
    const child = spawn(program!, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: '/nonexistent',
        HOST: this.#at?.address ?? LOOPBACK,
        GRPC_PORT: String(this.grpcPort),
        OUT: this.file,
      },
    })
    this.#process = child
    // Mocha ends with process.exit when a test hangs: the Collector must not outlive it.
    const killed = () => child.kill('SIGKILL')
    process.once('exit', killed)
    child.once('exit', () => process.removeListener('exit', killed))
    await ready(child)
  }

  /** Ends it politely: its file is complete afterwards. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }

  /** Every complete line of the file, parsed. */
  requests(): OtlpRequest[] {
    if (!existsSync(this.file)) return []
    const text = readFileSync(this.file, 'utf8')
    // A killed Collector may leave half a line.
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
    return lines.filter(line => line !== '').map(line => JSON.parse(line) as OtlpRequest)
  }

  /** Every point of one metric in the order of arrival. */
  points(metric: string, where: Where = {}): OtlpPoint[] {
    const points: OtlpPoint[] = []
    for (const request of this.requests()) {
      for (const found of metricsOf(request)) {
        if (found.name !== metric) continue
        for (const point of found.sum?.dataPoints ?? found.gauge?.dataPoints ?? []) {
          if (matches(point, where)) points.push(point)
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
export async function startCollector(options: { folder: string; at?: CollectorPlace }): Promise<Collector> {
  const collector = await prepareCollector(options)
  await collector.restart()
  return collector
}

/** A Collector that is down until `restart`, on a port that nobody listens on. */
export async function prepareCollector(options: { folder: string; at?: CollectorPlace }): Promise<Collector> {
  await promisify(execFile)(recipe, ['otelcol'])
  return new Collector(options.folder, await freePort(), options.at)
}

export async function freePort(): Promise<number> {
  const server: Server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function serversFolder(): string {
  return process.env.PODWEIR_SERVERS ?? join(homedir(), '.cache/podweir/servers')
}

async function ready(child: ChildProcess): Promise<void> {
  const said: string[] = []
  const lines = createInterface({ input: child.stderr! })
  await new Promise<void>((resolve, reject) => {
    lines.on('line', line => {
      if (line.includes('Everything is ready')) resolve()
      else if (said.length < 100) said.push(line)
    })
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`the Collector ended with ${code}: ${said.join('\n')}`)))
  })
}

function metricsOf(request: OtlpRequest): OtlpMetric[] {
  return request.resourceMetrics.flatMap(resource => resource.scopeMetrics.flatMap(scope => scope.metrics))
}

function matches(point: OtlpPoint, where: Where): boolean {
  for (const [key, wanted] of Object.entries(where)) {
    const found = point.attributes?.find(attribute => attribute.key === key)
    if (!found || text(found.value) !== wanted) return false
  }
  return true
}

function text(value: OtlpValue): string {
  return String(value.stringValue ?? value.intValue ?? value.boolValue ?? value.doubleValue ?? JSON.stringify(value))
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
