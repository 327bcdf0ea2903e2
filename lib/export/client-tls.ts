// Certificates and keys of an exporter, as its files hold them now: they are renewed while the agent runs.
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls'
import type { TlsConfig } from '../config/tls.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'

export interface TlsMaterial {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly minVersion: SecureVersion
}

export class ClientTls {
  readonly config: TlsConfig
  readonly #clock: Clock
  #lookedAtMs: number
  /** Of the files as they were last read. */
  #marks: string | undefined

  constructor(config: TlsConfig, clock: Clock) {
    this.config = config
    this.#clock = clock
    this.#lookedAtMs = clock.monotonicMs()
  }

  /** A Failure names the file that can't be read, or what is wrong with them together. */
  read(): TlsMaterial {
    const { caFile, certFile, keyFile, minVersion } = this.config
    const marks = this.#look()
    const [ca, cert, key] = [readPem(caFile), readPem(certFile), readPem(keyFile)]
    const material: TlsMaterial = {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      minVersion: `TLSv${minVersion}`,
    }
    this.#contextOf(material)
    this.#marks = marks
    return material
  }

  context(): SecureContext {
    return this.#contextOf(this.read())
  }

  /** Whether the files are others than those that were read. Looks at them only so often. */
  hasChanged(): boolean {
    const { reloadMs } = this.config
    if (reloadMs === 0 || this.#marks === undefined) return false
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#lookedAtMs < reloadMs) return false
    this.#lookedAtMs = nowMs
    return this.#look() !== this.#marks
  }

  #look(): string {
    return this.#files().map(markOf).join(' ')
  }

  #files(): string[] {
    const { caFile, certFile, keyFile } = this.config
    return [caFile, certFile, keyFile].filter(file => file !== undefined)
  }

  #contextOf(material: TlsMaterial): SecureContext {
    try {
      return createSecureContext(material)
    } catch (error) {
      throw certificateFailure(this.#files().join(', '), error)
    }
  }
}

/** A mounted Secret changes by a link that points elsewhere: what counts is what the link leads to. */
function markOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true })
  return found ? `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}` : 'none'
}

function readPem(file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file)
  } catch (error) {
    throw certificateFailure(file, error)
  }
}

function certificateFailure(subject: string, error: unknown): Failure {
  return new Failure({
    step: 'read certificate',
    subject,
    cause: error instanceof Error ? error.message : String(error),
    remedy: 'the tls section needs readable PEM files; cert_file and key_file go together',
  })
}
