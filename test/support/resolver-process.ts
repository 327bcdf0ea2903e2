// A resolver as its users run it: a process of its own, with a settings file and certificates.
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { stringify } from 'yaml'
import { type Authority, type CertificateFiles, pem } from './certificates.ts'
import { PodweirProcess, type ProcessOptions } from './podweir-process.ts'
import { until } from './until.ts'

export interface ResolverProcessOptions extends ProcessOptions {
  /** For its settings; a new one for each. */
  readonly folder: string
  readonly kubeconfig: string
  readonly authority: Authority
  /** Absent: one of the authority. */
  readonly certificate?: CertificateFiles
  /** Who may ask, as in the settings file. */
  readonly trusts: Readonly<Record<string, unknown>>
  /** 0, or absent: any that is free. */
  readonly port?: number
  /** Of the section `kubernetes`. */
  readonly kubernetes?: Readonly<Record<string, unknown>>
}

export interface ResolverStatus {
  readonly agents: number
  readonly subscriptions: number
  readonly keys: number
  readonly residentBytes: number
  readonly resources: readonly { readonly resource: string; readonly degraded?: { readonly reason: string } }[]
}

const START_LIMIT_MS = 20_000
const SYNC_LIMIT_MS = 60_000

export class ResolverProcess {
  readonly port: number
  readonly #process: PodweirProcess
  readonly #authority: Authority

  private constructor(process: PodweirProcess, port: number, authority: Authority) {
    this.#process = process
    this.port = port
    this.#authority = authority
  }

  /** Resolves when it listens; what it knows comes later. The caller ends it. */
  static async start(options: ResolverProcessOptions): Promise<ResolverProcess> {
    const { folder, authority, certificate = authority.issue('localhost'), trusts, port = 0, ...rest } = options
    mkdirSync(folder, { recursive: true })
    const settings = {
      receivers: {
        podweir: { kubernetes: { auth_type: 'kubeConfig', kubeconfig: options.kubeconfig, ...options.kubernetes } },
      },
      resolver: {
        endpoint: `127.0.0.1:${port}`,
        tls: { cert_file: certificate.certFile, key_file: certificate.keyFile, reload_interval: '1s' },
        ...trusts,
      },
    }
    const file = join(folder, 'resolver.yaml')
    writeFileSync(file, stringify(settings))
    const process = new PodweirProcess(['resolver', '--config', file], rest)
    try {
      const { msg } = await process.logged(/^answering agents at /, START_LIMIT_MS)
      return new ResolverProcess(process, Number(msg.split(':').at(-1)), authority)
    } catch (error) {
      await process.end('SIGKILL')
      throw error
    }
  }

  get pid(): number {
    return this.#process.pid
  }

  get messages(): string[] {
    return this.#process.messages(/./)
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal)
  }

  end(signal: NodeJS.Signals = 'SIGTERM') {
    return this.#process.end(signal)
  }

  /** `GET /v1/status` by somebody who may ask. */
  async status(token: string): Promise<ResolverStatus> {
    const session = connect(`https://localhost:${this.port}`, { ca: pem(this.#authority.certFile) })
    try {
      const failed = new Promise<never>((_, reject) => session.on('error', reject))
      const stream = session.request({ ':path': '/v1/status', authorization: `Bearer ${token}` })
      return JSON.parse(await Promise.race([text(stream), failed])) as ResolverStatus
    } finally {
      session.destroy()
    }
  }

  /** Until it knows everything that it may. */
  async knows(token: string): Promise<void> {
    await until(
      () => this.messages.join('\n'),
      async () => {
        const { resources } = await this.status(token)
        return resources.every(each => 'syncedAtMs' in each || each.degraded)
      },
      { limitMs: SYNC_LIMIT_MS, everyMs: 100 },
    )
  }
}
