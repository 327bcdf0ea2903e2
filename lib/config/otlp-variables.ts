// The standard `OTEL_EXPORTER_OTLP_*` variables: the exporter reads them itself, and says nothing of what it can't use.
import type { Environment } from './substitution.ts'

interface Rule {
  readonly suffix: string
  readonly holds: (value: string) => boolean
  readonly meant: string
}

const rules: readonly Rule[] = [
  { suffix: 'PROTOCOL', holds: value => value === 'grpc', meant: 'only grpc is spoken' },
  { suffix: 'COMPRESSION', holds: value => value === 'none' || value === 'gzip', meant: 'it is none or gzip' },
  { suffix: 'TIMEOUT', holds: value => /^[1-9]\d*$/.test(value), meant: 'it is a whole number of milliseconds' },
  {
    suffix: 'ENDPOINT',
    holds: value => /:\d{1,5}\/?$/.test(value),
    meant: 'it has no port, and 4317 is taken; write HOST:PORT, http://HOST:PORT or https://HOST:PORT',
  },
]

export function warnOfOtlpVariables(environment: Environment, warnings: string[]): void {
  for (const { suffix, holds, meant } of rules)
    for (const name of [`OTEL_EXPORTER_OTLP_METRICS_${suffix}`, `OTEL_EXPORTER_OTLP_${suffix}`]) {
      const value = environment[name]?.trim()
      if (value && !holds(value)) warnings.push(`${name}: '${value}': ${meant}`)
    }
}
