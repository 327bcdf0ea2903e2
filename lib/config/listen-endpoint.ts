// Where one of our servers listens, as settings write it: `HOST:PORT`.

export interface ListenEndpoint {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
}

export function formatListenEndpoint({ host, port }: ListenEndpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** An IPv6 address is in brackets. */
export function readListenEndpoint(endpoint: string): ListenEndpoint | undefined {
  const [, ipv6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(endpoint) ?? []
  const host = ipv6 ?? name
  const port = Number(digits)
  return host === undefined || port > 65_535 ? undefined : { host, port }
}
