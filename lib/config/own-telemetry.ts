// What the agent tells of itself, apart from its data: `service.telemetry.metrics`.
import type { z } from 'zod'
import { formatDuration } from './duration.ts'
import { formatListenEndpoint, type ListenEndpoint } from './listen-endpoint.ts'
import { isGrpcEndpoint } from './otlp-exporters.ts'
import { shownEndpoint } from './secret.ts'
import { choice, duration, listenEndpoint, onOrOff, section, text } from './validation.ts'

export interface OwnTelemetryConfig {
  readonly level: 'none' | 'basic' | 'normal' | 'detailed'
  /** Where it is sent by OTLP/gRPC; absent, and without an address: where metrics are sent so. */
  readonly endpoint?: string
  /** Where it can be scraped; absent: nowhere. */
  readonly address?: ListenEndpoint
  readonly intervalMs: number
  /** Names as those of a Collector's own metrics. */
  readonly collectorNames: boolean
}

export const ownTelemetrySchema = section({
  level: choice('none', 'basic', 'normal', 'detailed').default('none'),
  endpoint: text('HOST:PORT, http://HOST:PORT, https://HOST:PORT', isGrpcEndpoint).optional(),
  address: listenEndpoint('localhost:8888').optional(),
  interval: duration(1000, 3_600_000, 10_000).default(10_000),
  collector_names: onOrOff().default('off'),
})

/** `hasReceiver`: metrics go somewhere by OTLP/gRPC, and it goes there too where it has no endpoint or address of its own. */
export function ownTelemetryConfig(
  settings: z.output<typeof ownTelemetrySchema>,
  hasReceiver: boolean,
  warnings: string[],
): OwnTelemetryConfig {
  const { level, endpoint, address, interval } = settings
  const leadsAnywhere = endpoint !== undefined || address !== undefined
  if (level === 'none' && leadsAnywhere)
    warnings.push('service.telemetry.metrics: endpoint and address are ignored with level none')
  if (level !== 'none' && !leadsAnywhere && !hasReceiver)
    warnings.push(`service.telemetry.metrics: level ${level}, but neither endpoint nor address: nobody hears of it`)
  return {
    level,
    ...(endpoint !== undefined && { endpoint }),
    ...(address && { address }),
    intervalMs: interval,
    collectorNames: settings.collector_names === 'on',
  }
}

export function describeOwnTelemetry({ level, endpoint, address, intervalMs, collectorNames }: OwnTelemetryConfig) {
  return {
    level,
    ...(endpoint !== undefined && { endpoint: shownEndpoint(endpoint) }),
    ...(address && { address: formatListenEndpoint(address) }),
    interval: formatDuration(intervalMs),
    collector_names: collectorNames ? 'on' : 'off',
  }
}
