// Which log records are made where a pipeline carries logs: `receivers.podweir.logs`.
import type { z } from 'zod'
import { choice, choiceOrOff, section, wholeNumber } from './validation.ts'

export interface LogsConfig {
  /** A record for each connection that failed, or for every one. */
  readonly flows: 'failed' | 'all' | 'off'
  /** How attributes are called: as docs/signals.md says, or as the Collector's netflow receiver does. */
  readonly profile: 'default' | 'netflow'
  /** Of more, the rest is left out and counted. */
  readonly recordsPerSecond: number
}

export const logsSchema = section({
  flows: choiceOrOff('failed', 'all').default('failed'),
  profile: choice('default', 'netflow').default('default'),
  records_per_second: wholeNumber(1, 1_000_000).default(200),
})

export function logsConfig(settings: z.output<typeof logsSchema>): LogsConfig {
  return { flows: settings.flows, profile: settings.profile, recordsPerSecond: settings.records_per_second }
}

export function describeLogs(logs: LogsConfig) {
  return { flows: logs.flows, profile: logs.profile, records_per_second: logs.recordsPerSecond }
}
