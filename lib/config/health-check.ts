// Where the agent answers by HTTP whether it lives and is ready: `extensions.health_check`, spelled as the Collector does.
import type { z } from 'zod'
import { formatListenEndpoint, type ListenEndpoint } from './listen-endpoint.ts'
import { formatShare, shareBetween } from './share.ts'
import { listenEndpoint, parsedOrOff, section } from './validation.ts'

export interface HealthCheckConfig extends ListenEndpoint {
  /** Ready means that at least this share of the interfaces that are there is attached. */
  readonly minAttached: number
}

export const healthCheckSchema = section({
  endpoint: listenEndpoint('localhost:13133').default({ host: 'localhost', port: 13133 }),
  min_attached: parsedOrOff('1% to 100%', value => shareBetween(value, 1, 100)).default(0.9),
})

export function healthCheckConfig(settings: z.output<typeof healthCheckSchema>): HealthCheckConfig {
  return { ...settings.endpoint, minAttached: settings.min_attached }
}

export function describeHealthCheck(config: HealthCheckConfig) {
  return { endpoint: formatListenEndpoint(config), min_attached: formatShare(config.minAttached) }
}
