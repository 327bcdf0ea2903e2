// How an agent shows a resolver who it is, and knows whom it talks to.
import type { ResolverClientConfig } from '../config/resolver.ts'
import type { Clock } from '../host/clock.ts'
import type { ConnectionTimes } from '../kubernetes/api-transport.ts'
import { type ClusterAccess, tokenReader } from '../kubernetes/cluster-access.ts'
import { contentOf } from '../kubernetes/kubeconfig.ts'

/** A resolver says at once whether it answers, or within the time that it needs to catch up with another one. */
export const RESOLVER_CONNECTION_TIMES: ConnectionTimes = {
  connectLimitMs: 5_000,
  answerLimitMs: 15_000,
  pingEveryMs: 20_000,
  pingLimitMs: 20_000,
}

/** Certificates and the token are read anew for each connection. */
export function resolverAccess({ server, tls, tokenFile }: ResolverClientConfig, clock: Clock): ClusterAccess {
  const { serverName, caFile, certFile, keyFile, minVersion } = tls
  const token = tokenFile === undefined ? undefined : tokenReader({ file: tokenFile }, clock)
  return {
    server: new URL(server),
    tls: async () => ({
      minVersion: `TLSv${minVersion}`,
      ...(serverName !== undefined && { servername: serverName }),
      ...(caFile !== undefined && { ca: contentOf({ file: caFile }) }),
      ...(certFile !== undefined && { cert: contentOf({ file: certFile }) }),
      ...(keyFile !== undefined && { key: contentOf({ file: keyFile }) }),
    }),
    authorization: async fresh => token?.(fresh),
  }
}
