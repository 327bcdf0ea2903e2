// The standard `OTEL_EXPORTER_OTLP_*` variables: what they say for one signal, and what of it can't be used.
import { shownEndpoint } from './secret.ts'
import { type Signal, signals } from './signal.ts'
import type { Environment } from './substitution.ts'

export type OtlpProtocol = 'grpc' | 'http/protobuf' | 'http/json'

interface Rule {
  readonly suffix: string
  readonly holds: (value: string) => boolean
  readonly meant: string
}

const protocols: readonly string[] = ['grpc', 'http/protobuf', 'http/json']

const rules: readonly Rule[] = [
  { suffix: 'PROTOCOL', holds: value => protocols.includes(value), meant: 'it is grpc, http/protobuf or http/json' },
  { suffix: 'COMPRESSION', holds: isCompression, meant: 'it is none or gzip' },
  { suffix: 'TIMEOUT', holds: value => /^[1-9]\d*$/.test(value), meant: 'it is a whole number of milliseconds' },
]

const portRule: Rule = {
  suffix: 'ENDPOINT',
  holds: value => /:\d{1,5}\/?$/.test(value),
  meant: 'it has no port, and 4317 is taken; write HOST:PORT, http://HOST:PORT or https://HOST:PORT',
}

const urlRule: Rule = {
  suffix: 'ENDPOINT',
  holds: value => /^https?:\/\//.test(value),
  meant: 'it is no URL; write http://HOST:PORT or https://HOST:PORT',
}

const headersMeant = 'it is not key=value,key=value with percent-encoded values, and is ignored'

/** What was set for one signal, or for all of them. */
export class OtlpVariables {
  readonly #environment: Environment
  readonly #signal: Signal

  constructor(environment: Environment, signal: Signal) {
    this.#environment = environment
    this.#signal = signal
  }

  /** Where this signal alone goes. */
  get ownEndpoint(): string | undefined {
    return this.#own('ENDPOINT')
  }

  get endpoint(): string | undefined {
    return this.#general('ENDPOINT')
  }

  get protocol(): OtlpProtocol | undefined {
    const value = this.#either('PROTOCOL')
    return value !== undefined && protocols.includes(value) ? (value as OtlpProtocol) : undefined
  }

  get compression(): 'none' | 'gzip' | undefined {
    const value = this.#either('COMPRESSION')
    return value !== undefined && isCompression(value) ? value : undefined
  }

  get timeoutMs(): number | undefined {
    const value = this.#either('TIMEOUT')
    return value !== undefined && /^[1-9]\d*$/.test(value) ? Number(value) : undefined
  }

  get insecure(): boolean | undefined {
    const value = this.#either('INSECURE')?.toLowerCase()
    return value === undefined ? undefined : value === 'true'
  }

  get caFile(): string | undefined {
    return this.#either('CERTIFICATE')
  }

  get certFile(): string | undefined {
    return this.#either('CLIENT_CERTIFICATE')
  }

  get keyFile(): string | undefined {
    return this.#either('CLIENT_KEY')
  }

  get headers(): Record<string, string> {
    return { ...parseHeaders(this.#general('HEADERS')), ...parseHeaders(this.#own('HEADERS')) }
  }

  /** The variable that decides. */
  nameOf(suffix: string): string | undefined {
    if (this.#own(suffix) !== undefined) return this.#ownName(suffix)
    return this.#general(suffix) === undefined ? undefined : generalName(suffix)
  }

  nameOfHeader(name: string): string {
    const own = parseHeaders(this.#own('HEADERS')) ?? {}
    return Object.hasOwn(own, name) ? this.#ownName('HEADERS') : generalName('HEADERS')
  }

  #either(suffix: string): string | undefined {
    return this.#own(suffix) ?? this.#general(suffix)
  }

  #own(suffix: string): string | undefined {
    return this.#environment[this.#ownName(suffix)]?.trim() || undefined
  }

  #ownName(suffix: string): string {
    return generalName(`${this.#signal.toUpperCase()}_${suffix}`)
  }

  #general(suffix: string): string | undefined {
    return this.#environment[generalName(suffix)]?.trim() || undefined
  }
}

/** `types`: of the exporters that look at them. */
export function warnOfOtlpVariables(environment: Environment, types: ReadonlySet<string>, warnings: string[]): void {
  const all = [...rules, ...(types.has('otlp_grpc') ? [portRule] : []), ...(types.has('otlp_http') ? [urlRule] : [])]
  for (const prefix of ['', ...signals.map(signal => `${signal.toUpperCase()}_`)]) {
    for (const { suffix, holds, meant } of all) {
      const name = generalName(prefix + suffix)
      const value = environment[name]?.trim()
      if (value && !holds(value)) warnings.push(`${name}: '${shownEndpoint(value)}': ${meant}`)
    }
    const headers = generalName(`${prefix}HEADERS`)
    if (parseHeaders(environment[headers]) === undefined) warnings.push(`${headers}: ${headersMeant}`)
  }
}

function generalName(suffix: string): string {
  return `OTEL_EXPORTER_OTLP_${suffix}`
}

function isCompression(value: string): value is 'none' | 'gzip' {
  return value === 'none' || value === 'gzip'
}

/** undefined: malformed. */
function parseHeaders(text: string | undefined): Record<string, string> | undefined {
  const headers: Record<string, string> = {}
  for (const pair of (text ?? '').split(',')) {
    if (pair.trim() === '') continue
    const equals = pair.indexOf('=')
    const name = pair.slice(0, Math.max(0, equals)).trim().toLowerCase()
    try {
      const value = decodeURIComponent(pair.slice(equals + 1).trim())
      if (!/^[0-9a-z_.-]+$/.test(name) || !/^[ -~]*$/.test(value)) return undefined
      headers[name] = value
    } catch {
      return undefined
    }
  }
  return headers
}
