// Where the agent answers by HTTP whether it lives and is ready: `extensions.health_check`, spelled as the Collector does.
import type { z } from 'zod'
import { formatShare, shareBetween } from './share.ts'
import { parsed, section, text } from './validation.ts'

export interface HealthCheckConfig {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Ready means that at least this share of the interfaces that are there is attached. */
  readonly minAttached: number
}

const endpointText = 'HOST:PORT, such as localhost:13133'

export const healthCheckSchema = section({
  endpoint: text(endpointText, value => readEndpoint(value) !== undefined).default('localhost:13133'),
  min_attached: parsed('1% to 100%, or off', value => shareBetween(value, 1, 100)).default(0.9),
})

export function healthCheckConfig(settings: z.output<typeof healthCheckSchema>): HealthCheckConfig {
  return { ...readEndpoint(settings.endpoint)!, minAttached: settings.min_attached }
}

export function describeHealthCheck({ host, port, minAttached }: HealthCheckConfig) {
  const endpoint = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return { endpoint, min_attached: formatShare(minAttached) }
}

/** An IPv6 address is in brackets. */
function readEndpoint(endpoint: string): { host: string; port: number } | undefined {
  const [, ipv6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(endpoint) ?? []
  const host = ipv6 ?? name
  const port = Number(digits)
  return host === undefined || port > 65_535 ? undefined : { host, port }
}
