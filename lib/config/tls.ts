// How a connection is encrypted and whom it trusts, as the Collector spells it: `tls`.
import { z } from 'zod'
import type { Path } from './problems.ts'
import type { ReadingContext } from './reading-context.ts'
import { choice, durationOrOff, flag, formatDurationOrOff, required, text } from './validation.ts'

export interface TlsConfig {
  /** Without TLS, where the endpoint has no scheme. */
  readonly insecure: boolean
  /** Whoever answers is believed. */
  readonly insecureSkipVerify: boolean
  /** The name that the receiver's certificate is to have, where it is not the endpoint's. */
  readonly serverName?: string
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly minVersion: TlsVersion
  /** How often the files are looked at; changed ones count for connections from then on. 0: at the start alone. */
  readonly reloadMs: number
}

/** Of a server of ours. */
export interface ServerTlsConfig {
  readonly certFile: string
  readonly keyFile: string
  /** Whoever asks must show a certificate of these. */
  readonly clientCaFile?: string
  readonly minVersion: TlsVersion
  readonly reloadMs: number
}

export type TlsVersion = '1.2' | '1.3'

const hour = 3_600_000
const defaultReloadMs = 60_000
const file = () => text('the path of a file in PEM')

/** Without quotes it is a number to YAML. */
const version = () =>
  z.preprocess(value => (typeof value === 'number' ? String(value) : value), choice('1.2', '1.3')).default('1.2')
const reload = () => durationOrOff(1000, 24 * hour, defaultReloadMs).default(defaultReloadMs)

export const clientTlsShape = {
  insecure: flag().optional(),
  insecure_skip_verify: flag().default(false),
  server_name_override: text('the name of a host').optional(),
  ca_file: file().optional(),
  cert_file: file().optional(),
  key_file: file().optional(),
  min_version: version(),
  reload_interval: reload(),
}

export const tlsSchema = required(clientTlsShape)

export const serverTlsSchema = required({
  cert_file: file(),
  key_file: file(),
  client_ca_file: file().optional(),
  min_version: version(),
  reload_interval: reload(),
})

export const defaultTls: TlsConfig = {
  insecure: false,
  insecureSkipVerify: false,
  minVersion: '1.2',
  reloadMs: defaultReloadMs,
}

export function tlsConfig(settings: z.output<typeof tlsSchema> | undefined): TlsConfig {
  if (!settings) return defaultTls
  const { server_name_override: serverName, ca_file: caFile, cert_file: certFile, key_file: keyFile } = settings
  return {
    insecure: settings.insecure ?? false,
    insecureSkipVerify: settings.insecure_skip_verify,
    ...(serverName !== undefined && { serverName }),
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
    minVersion: settings.min_version,
    reloadMs: settings.reload_interval,
  }
}

export function serverTlsConfig(settings: z.output<typeof serverTlsSchema>): ServerTlsConfig {
  const { cert_file: certFile, key_file: keyFile, client_ca_file: clientCaFile } = settings
  return {
    certFile,
    keyFile,
    ...(clientCaFile !== undefined && { clientCaFile }),
    minVersion: settings.min_version,
    reloadMs: settings.reload_interval,
  }
}

export function describeTls(tls: TlsConfig) {
  return {
    insecure: tls.insecure,
    insecure_skip_verify: tls.insecureSkipVerify,
    server_name_override: tls.serverName,
    ca_file: tls.caFile,
    cert_file: tls.certFile,
    key_file: tls.keyFile,
    ...describeVersionAndReload(tls),
  }
}

export function describeServerTls(tls: ServerTlsConfig) {
  return {
    cert_file: tls.certFile,
    key_file: tls.keyFile,
    client_ca_file: tls.clientCaFile,
    ...describeVersionAndReload(tls),
  }
}

function describeVersionAndReload({ minVersion, reloadMs }: TlsConfig | ServerTlsConfig) {
  return { min_version: minVersion, reload_interval: formatDurationOrOff(reloadMs) }
}

/** What contradicts itself, or is hardly meant, at `tls` of an exporter. */
export function checkTls(
  { document, warnings }: ReadingContext,
  settings: z.output<typeof tlsSchema> | undefined,
  path: Path,
  endpoints: readonly (string | undefined)[],
): void {
  if (!settings) return
  if ((settings.cert_file === undefined) !== (settings.key_file === undefined)) {
    const what = 'one half of a client certificate'
    document.problems.add(document.placeOfKey(path), path, what, 'cert_file with key_file')
  }
  if (settings.insecure && endpoints.some(endpoint => endpoint?.startsWith('https://'))) {
    const at = [...path, 'insecure']
    document.problems.add(document.placeOf(at), at, 'contradicts https:// in the endpoint', 'false, or http://')
  }
  if (settings.insecure_skip_verify) {
    const at = [...path, 'insecure_skip_verify']
    warnings.push(
      document.problems.line(document.placeOfKey(at), at, 'whoever answers is believed, and gets everything'),
    )
  }
}
