// The exporter that writes Influx line protocol: `influx`.
import type { z } from 'zod'
import { formatDuration } from './duration.ts'
import { deliveryShape, describeRetry, metricFormShape, type RetryConfig, retryConfig } from './exporter-delivery.ts'
import { type ExporterPlace, headersSchema, isUrl, timeoutSchema } from './otlp-exporters.ts'
import { redacted, redactedValues, shownEndpoint } from './secret.ts'
import { checkTls, describeTls, type TlsConfig, tlsConfig, tlsSchema } from './tls.ts'
import { choice, formatDurationOrOff, section, text } from './validation.ts'

export interface InfluxExporterConfig {
  readonly type: 'influx'
  readonly id: string
  readonly transport: 'http' | 'udp' | 'tcp'
  /** HTTP: a URL; else `HOST:PORT`. */
  readonly endpoint: string
  /** Which interface of InfluxDB is written to by HTTP; `none`: the endpoint is the whole URL. */
  readonly version: 'v1' | 'v2' | 'v3' | 'none'
  readonly org?: string
  readonly bucket?: string
  readonly database?: string
  readonly username?: string
  readonly password?: string
  readonly token?: string
  readonly headers: Readonly<Record<string, string>>
  /** How measurements, tags and fields are called. */
  readonly profile: 'default' | 'netapp'
  readonly temporality: 'cumulative' | 'delta'
  readonly resendUnchangedMs: number
  readonly compression: 'none' | 'gzip'
  readonly timeoutMs: number
  readonly tls: TlsConfig
  readonly retry: RetryConfig
}

const defaultUrl = 'http://localhost:8086'
const defaultVersion = 'v2'
const name = () => text('a name').optional()

export const influxSchema = section({
  transport: choice('http', 'udp', 'tcp').default('http'),
  endpoint: text('http://HOST:PORT, https://HOST:PORT, or HOST:PORT for udp and tcp', isEndpoint).default(defaultUrl),
  version: choice('v1', 'v2', 'v3', 'none').optional(),
  org: name(),
  bucket: name(),
  database: name(),
  username: name(),
  password: text('a password').optional(),
  token: text('a token').optional(),
  headers: headersSchema.optional(),
  profile: choice('default', 'netapp').default('default'),
  temporality: choice('cumulative', 'delta').optional(),
  resend_unchanged: metricFormShape.resend_unchanged,
  compression: choice('none', 'gzip').optional(),
  timeout: timeoutSchema.default(10_000),
  tls: tlsSchema.optional(),
  retry_on_failure: deliveryShape.retry_on_failure,
})

type Settings = z.output<typeof influxSchema>
type Target = 'org' | 'bucket' | 'database'

const targetOf: Readonly<Record<InfluxExporterConfig['version'], readonly Target[]>> = {
  v1: ['database'],
  v2: ['org', 'bucket'],
  v3: ['database'],
  none: [],
}

const ofHttpAlone = [
  'version',
  'compression',
  'org',
  'bucket',
  'database',
  'username',
  'password',
  'token',
  'headers',
  'tls',
] as const

export function influxExporter(settings: Settings, place: ExporterPlace): InfluxExporterConfig {
  if (settings.transport === 'http') checkHttp(settings, place)
  else checkSocket(settings, place)
  checkTls(place, settings.tls, [...place.path, 'tls'], [settings.endpoint])
  const { transport, endpoint, version = defaultVersion, profile, headers = {} } = settings
  const compression = settings.compression ?? (transport === 'http' ? 'gzip' : 'none')
  const { org, bucket, database, username, password, token } = settings
  return {
    ...{ type: 'influx', id: place.id, transport, endpoint, version, profile, compression, headers },
    ...(org !== undefined && { org }),
    ...(bucket !== undefined && { bucket }),
    ...(database !== undefined && { database }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(token !== undefined && { token }),
    temporality: settings.temporality ?? (profile === 'netapp' ? 'delta' : 'cumulative'),
    resendUnchangedMs: settings.resend_unchanged,
    timeoutMs: settings.timeout,
    tls: tlsConfig(settings.tls),
    retry: retryConfig(settings),
  }
}

export function describeInflux(exporter: InfluxExporterConfig) {
  const { transport, endpoint, version, org, bucket, database, username, password, token, headers } = exporter
  return {
    transport,
    endpoint: shownEndpoint(endpoint),
    ...(transport === 'http' && { version, org, bucket, database, username }),
    ...(password !== undefined && { password: redacted }),
    ...(token !== undefined && { token: redacted }),
    ...(Object.keys(headers).length > 0 && { headers: redactedValues(headers) }),
    ...{ profile: exporter.profile, temporality: exporter.temporality },
    ...(transport === 'http' && { compression: exporter.compression }),
    resend_unchanged: formatDurationOrOff(exporter.resendUnchangedMs),
    timeout: formatDuration(exporter.timeoutMs),
    ...(transport === 'http' && { tls: describeTls(exporter.tls) }),
    retry_on_failure: describeRetry(exporter.retry),
  }
}

function checkHttp(settings: Settings, { document, path }: ExporterPlace): void {
  if (!isUrl(settings.endpoint)) {
    const at = [...path, 'endpoint']
    document.problems.add(
      document.placeOf(at),
      at,
      'is no URL, which HTTP needs',
      'http://HOST:PORT, https://HOST:PORT',
    )
  }
  const { version = defaultVersion } = settings
  for (const key of targetOf[version]) {
    if (settings[key] !== undefined) continue
    const what = `is missing: InfluxDB's ${version} writes to ${targetOf[version].join(' and ')}`
    document.problems.add(document.placeOfKey(path), [...path, key], what, 'a name')
  }
  if (settings.password !== undefined && settings.username === undefined) {
    const at = [...path, 'password']
    document.problems.add(document.placeOfKey(at), at, 'has no username', 'username with password')
  }
}

/** A datagram has no answer and no credentials. */
function checkSocket(settings: Settings, { document, path }: ExporterPlace): void {
  if (settings.endpoint.includes('/')) {
    const at = [...path, 'endpoint']
    document.problems.add(document.placeOf(at), at, `is no HOST:PORT, which ${settings.transport} needs`, 'HOST:PORT')
  }
  for (const key of ofHttpAlone) {
    if (settings[key] === undefined) continue
    const at = [...path, key]
    document.problems.add(document.placeOfKey(at), at, `has no meaning with transport ${settings.transport}`, 'http')
  }
}

function isEndpoint(value: string): boolean {
  if (isUrl(value)) return true
  const match = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(value)
  return match !== null && Number(match[2]) >= 1 && Number(match[2]) <= 65_535
}
