// A resolver: how an agent reaches one (`receivers.podweir.kubernetes.resolver`), and how one serves (`resolver`, a section of its own).
import type { z } from 'zod'
import { formatListenEndpoint, type ListenEndpoint } from './listen-endpoint.ts'
import type { ReadingContext } from './reading-context.ts'
import {
  clientTlsShape,
  describeServerTls,
  type ServerTlsConfig,
  serverTlsConfig,
  serverTlsSchema,
  type TlsVersion,
} from './tls.ts'
import { list, listenEndpoint, required, section, text, wholeNumber } from './validation.ts'

export interface ResolverClientConfig {
  /** `https://HOST:PORT` */
  readonly server: string
  readonly tls: ResolverClientTls
  /** A service account's token, or one that the resolver lists. */
  readonly tokenFile?: string
}

/** Files are read anew for each connection. */
export interface ResolverClientTls {
  readonly serverName?: string
  /** Absent: the authorities that the system trusts. */
  readonly caFile?: string
  /** Both, or neither. */
  readonly certFile?: string
  readonly keyFile?: string
  readonly minVersion: TlsVersion
}

export interface TokenReviewConfig {
  /** What tokens have to be made for. */
  readonly audience: string
  /** `NAMESPACE/NAME` of the service accounts that may ask. */
  readonly serviceAccounts: readonly string[]
}

/** At least one of `tls.clientCaFile`, `tokenFile` and `tokenReview`; who satisfies any of them may ask. */
export interface ResolverConfig extends ListenEndpoint {
  readonly tls: ServerTlsConfig
  /** A token a line. */
  readonly tokenFile?: string
  readonly tokenReview?: TokenReviewConfig
  readonly maxAgents: number
}

const CLIENT_PATH = ['receivers', 'podweir', 'kubernetes', 'resolver']
const file = () => text('the path of a file')
const account = text('NAMESPACE/NAME of a service account', value => /^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/.test(value))
const { insecure: _, insecure_skip_verify: __, reload_interval: ___, ...resolverTlsShape } = clientTlsShape

export const resolverClientSchema = required({
  endpoint: text('HOST:PORT or https://HOST:PORT', value => serverOf(value) !== undefined),
  tls: section(resolverTlsShape),
  token_file: file().optional(),
})

export const resolverSchema = required({
  endpoint: listenEndpoint('0.0.0.0:9470').default({ host: '0.0.0.0', port: 9470 }),
  tls: serverTlsSchema,
  token_file: file().optional(),
  token_review: required({
    audience: text('the audience of a token').default('podweir-resolver'),
    service_accounts: list(account, 'a list of service accounts, each NAMESPACE/NAME')
      .min(1, {
        error: 'at least one service account',
      })
      .default(['podweir-system/podweir']),
  }).optional(),
  max_agents: wholeNumber(1, 100_000).default(2_000),
})

export function resolverClientConfig(settings: z.output<typeof resolverClientSchema>): ResolverClientConfig {
  const { endpoint, tls, token_file: tokenFile } = settings
  const { server_name_override: serverName, ca_file: caFile, cert_file: certFile, key_file: keyFile } = tls
  return {
    server: serverOf(endpoint)!,
    tls: {
      ...(serverName !== undefined && { serverName }),
      ...(caFile !== undefined && { caFile }),
      ...(certFile !== undefined && { certFile }),
      ...(keyFile !== undefined && { keyFile }),
      minVersion: tls.min_version,
    },
    ...(tokenFile !== undefined && { tokenFile }),
  }
}

export function resolverConfig(settings: z.output<typeof resolverSchema>): ResolverConfig {
  const { endpoint, token_file: tokenFile, token_review: review } = settings
  return {
    ...endpoint,
    tls: serverTlsConfig(settings.tls),
    ...(tokenFile !== undefined && { tokenFile }),
    ...(review && { tokenReview: { audience: review.audience, serviceAccounts: review.service_accounts } }),
    maxAgents: settings.max_agents,
  }
}

export function describeResolverClient({ server, tls, tokenFile }: ResolverClientConfig) {
  return {
    endpoint: server,
    tls: {
      server_name_override: tls.serverName,
      ca_file: tls.caFile,
      cert_file: tls.certFile,
      key_file: tls.keyFile,
      min_version: tls.minVersion,
    },
    ...(tokenFile !== undefined && { token_file: tokenFile }),
  }
}

export function describeResolver({ tls, tokenFile, tokenReview, maxAgents, ...endpoint }: ResolverConfig) {
  return {
    endpoint: formatListenEndpoint(endpoint),
    tls: describeServerTls(tls),
    ...(tokenFile !== undefined && { token_file: tokenFile }),
    ...(tokenReview && {
      token_review: { audience: tokenReview.audience, service_accounts: tokenReview.serviceAccounts },
    }),
    max_agents: maxAgents,
  }
}

/** What is missing or contradicts itself where a resolver is asked, and where one serves. */
export function checkResolver(
  { document }: Pick<ReadingContext, 'document'>,
  kubernetes: { peers: string; resolver?: z.output<typeof resolverClientSchema> | undefined } | undefined,
  resolver: z.output<typeof resolverSchema> | undefined,
): void {
  const peers = [...CLIENT_PATH.slice(0, -1), 'peers']
  if (kubernetes?.peers === 'resolver' && !kubernetes.resolver)
    document.problems.add(document.placeOf(peers), peers, 'needs resolver.endpoint beside it', 'watch, none')
  const { tls } = kubernetes?.resolver ?? {}
  if (tls && (tls.cert_file === undefined) !== (tls.key_file === undefined)) {
    const path = [...CLIENT_PATH, 'tls']
    const what = 'one half of a client certificate'
    document.problems.add(document.placeOfKey(path), path, what, 'cert_file with key_file')
  }
  if (!resolver || resolver.tls.client_ca_file !== undefined || resolver.token_file !== undefined) return
  if (resolver.token_review) return
  const what = 'nobody could ask it: it trusts no certificate and no token'
  document.problems.add(
    document.placeOfKey(['resolver']),
    ['resolver'],
    what,
    'tls.client_ca_file, token_file, token_review',
  )
}

/** undefined: it is no endpoint. */
function serverOf(endpoint: string): string | undefined {
  const match = /^(?:https:\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:@[\]]+):(\d{1,5})\/?$/.exec(endpoint)
  const [, host, port] = match ?? []
  return host === undefined || Number(port) < 1 || Number(port) > 65_535 ? undefined : `https://${host}:${port}`
}
