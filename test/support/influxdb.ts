// A real InfluxDB 1.x: takes line protocol, and answers what it has of it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureServer, freePorts, ServerProcess } from './server-process.ts'
import { until } from './until.ts'

/** Columns of one series as it answers them. */
export interface InfluxRows {
  readonly name: string
  /** What it is grouped by. */
  readonly tags?: Readonly<Record<string, string>>
  readonly columns: readonly string[]
  readonly values: readonly (readonly (string | number | boolean | null)[])[]
}

export class InfluxDb {
  readonly url: string
  readonly database = 'podweir'
  readonly process: ServerProcess

  constructor(process: ServerProcess, port: number) {
    this.process = process
    this.url = `http://127.0.0.1:${port}`
  }

  /** Of InfluxQL, times in nanoseconds: beyond 2^53 they are rounded. */
  async query(influxql: string): Promise<InfluxRows[]> {
    const parameters = new URLSearchParams({ db: this.database, epoch: 'ns', q: influxql })
    const response = await fetch(`${this.url}/query`, { method: 'POST', body: parameters })
    const answer = (await response.json()) as { error?: string; results?: { series?: InfluxRows[]; error?: string }[] }
    const error = answer.error ?? answer.results?.find(result => result.error)?.error
    if (error !== undefined) throw new Error(`${influxql}: ${error}`)
    return answer.results?.flatMap(({ series }) => series ?? []) ?? []
  }

  /** 204, or its status with what it says. */
  async write(lines: string): Promise<{ status: number; said: string }> {
    const url = `${this.url}/write?db=${this.database}&precision=ns`
    const response = await fetch(url, { method: 'POST', body: lines })
    return { status: response.status, said: await response.text() }
  }

  /** All that it has, series by series. */
  async everything(): Promise<InfluxRows[]> {
    return this.query('SELECT * FROM /.*/ GROUP BY *')
  }

  async isReady(): Promise<boolean> {
    return fetch(`${this.url}/ping`).then(
      ({ status }) => status === 204,
      () => false,
    )
  }

  async stop(): Promise<void> {
    await this.process.stop()
  }
}

/** Ready, with an empty database, when it resolves. */
export async function startInfluxDb({ folder }: { folder: string }): Promise<InfluxDb> {
  const program = join(await ensureServer('influxdb', '1.6.7'), 'usr/bin/influxd')
  const [rpc, http] = await freePorts(2)
  const file = join(folder, 'influxdb.conf')
  writeFileSync(file, config(join(folder, 'influxdb'), rpc!, http!))
  const process = new ServerProcess({ name: 'InfluxDB', command: [program, '-config', file] })
  await process.start()
  const influx = new InfluxDb(process, http!)
  await until(
    () => `InfluxDB ready: ${process.said.join('\n')}`,
    () => influx.isReady(),
    { limitMs: 30_000, everyMs: 50 },
  )
  await influx.query(`CREATE DATABASE ${influx.database}`)
  return influx
}

function config(folder: string, rpcPort: number, httpPort: number): string {
  return `
reporting-enabled = false
bind-address = "127.0.0.1:${rpcPort}"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:${httpPort}"
`
}
