// Where an OTLP exporter's settings come from, for `config print --origin`: what the file leaves out, a variable decides.
import { OtlpVariables } from './otlp-variables.ts'
import type { Path } from './problems.ts'
import type { ReadingContext } from './reading-context.ts'
import { signals } from './signal.ts'

const suffixes: Readonly<Record<string, string>> = {
  endpoint: 'ENDPOINT',
  compression: 'COMPRESSION',
  timeout: 'TIMEOUT',
  'tls.insecure': 'INSECURE',
  'tls.ca_file': 'CERTIFICATE',
  'tls.cert_file': 'CLIENT_CERTIFICATE',
  'tls.key_file': 'CLIENT_KEY',
}

export function noteOtlpOrigins(
  { document, environment }: ReadingContext,
  path: Path,
  headers: Readonly<Record<string, string>> = {},
): void {
  const note = (keys: readonly string[], origin: string | undefined) => {
    if (origin !== undefined) document.note([...path, ...keys], origin)
  }
  const ofMetrics = new OtlpVariables(environment, 'metrics')
  for (const [keys, suffix] of Object.entries(suffixes)) note(keys.split('.'), ofMetrics.nameOf(suffix))
  for (const signal of signals) {
    const variable = new OtlpVariables(environment, signal).nameOf('ENDPOINT')
    note([`${signal}_endpoint`], document.originOf([...path, 'endpoint']) ?? variable)
  }
  for (const name of Object.keys(ofMetrics.headers)) note(['headers', name], ofMetrics.nameOfHeader(name))
  // They are printed in lower case.
  for (const name of Object.keys(headers))
    note(['headers', name.toLowerCase()], document.originOf([...path, 'headers', name]))
}
