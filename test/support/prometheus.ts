// A real Prometheus: it takes OTLP metrics, scrapes what it is told to, evaluates rules, and answers queries.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureServer, freePort, ServerProcess } from './server-process.ts'
import { until } from './until.ts'

const VERSION = '0.315.0'

export interface PrometheusOptions {
  readonly folder: string
  /** `HOST:PORT` of what is scraped every second. */
  readonly targets?: readonly string[]
  readonly scheme?: 'http' | 'https'
  /** Files with rules, evaluated every second. */
  readonly ruleFiles?: readonly string[]
  /** Resource attributes that OTLP metrics get as labels; the others are on `target_info` alone. */
  readonly promoted?: readonly string[]
  readonly features?: readonly string[]
}

export interface PrometheusSample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

export interface ScrapeTarget {
  readonly scrapeUrl: string
  readonly health: 'up' | 'down' | 'unknown'
  readonly lastError: string
}

export interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

export class Prometheus {
  readonly url: string
  readonly process: ServerProcess

  constructor(process: ServerProcess, port: number) {
    this.process = process
    this.url = `http://127.0.0.1:${port}`
  }

  /** Where OTLP metrics go, protobuf or JSON. */
  get otlpUrl(): string {
    return `${this.url}/api/v1/otlp/v1/metrics`
  }

  /** What an instant query gives now. */
  async query(promql: string): Promise<PrometheusSample[]> {
    const answer = (await this.#get(`/api/v1/query?query=${encodeURIComponent(promql)}`)) as {
      result: { metric: Record<string, string>; value: [number, string] }[]
    }
    return answer.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
  }

  async targets(): Promise<ScrapeTarget[]> {
    return ((await this.#get('/api/v1/targets')) as { activeTargets: ScrapeTarget[] }).activeTargets
  }

  async alerts(): Promise<PrometheusAlert[]> {
    return ((await this.#get('/api/v1/alerts')) as { alerts: PrometheusAlert[] }).alerts
  }

  async isReady(): Promise<boolean> {
    return fetch(`${this.url}/-/ready`).then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  async stop(): Promise<void> {
    await this.process.stop()
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(this.url + path)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return ((await response.json()) as { data: unknown }).data
  }
}

/** Ready when it resolves. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const program = join(await ensureServer('prometheus', VERSION), 'prometheus')
  const port = await freePort()
  const file = join(options.folder, 'prometheus.json')
  writeFileSync(file, JSON.stringify(config(options)))
  const process = new ServerProcess({
    name: 'Prometheus',
    command: [
      program,
      `--config.file=${file}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--storage.tsdb.path=${join(options.folder, 'prometheus')}`,
      '--web.enable-otlp-receiver',
      ...(options.features?.length ? [`--enable-feature=${options.features.join(',')}`] : []),
    ],
  })
  await process.start()
  const prometheus = new Prometheus(process, port)
  await until(
    () => `Prometheus ready: ${process.said.join('\n')}`,
    () => prometheus.isReady(),
    { limitMs: 30_000, everyMs: 50 },
  )
  return prometheus
}

/** `promtool ARGUMENTS`, with what it reads on stdin: its exit code and everything that it said. */
export async function promtool(args: readonly string[], input = ''): Promise<{ code: number; said: string }> {
  const program = join(await ensureServer('prometheus', VERSION), 'promtool')
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error ? error.code : 0
      if (typeof code === 'number') resolve({ code, said: stdout + stderr })
      else reject(error)
    })
    child.stdin!.on('error', () => {})
    child.stdin!.end(input)
  })
}

/** JSON is YAML. */
function config({ targets = [], scheme = 'http', ruleFiles = [], promoted = ['service.name'] }: PrometheusOptions) {
  const scraped = { job_name: 'podweir', scheme, tls_config: { insecure_skip_verify: true } }
  return {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    otlp: { promote_resource_attributes: promoted },
    storage: { tsdb: { out_of_order_time_window: '10m' } },
    rule_files: ruleFiles,
    scrape_configs: targets.length === 0 ? [] : [{ ...scraped, static_configs: [{ targets }] }],
  }
}
