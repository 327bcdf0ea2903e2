// Where the API server is and how to show it who we are: the pod's service account, or a kubeconfig.
import type { RequestOptions } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import type { KubernetesConfig } from '../config/kubernetes.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { contentOf, type KubeconfigContext, type Material, readKubeconfig } from './kubeconfig.ts'
import { type Fields, listOf } from './object-fields.ts'

export interface ClusterAccess {
  readonly server: URL
  /** For a new connection. Throws `Failure`. */
  tls(): Promise<ConnectionOptions>
  /** The header's value. `fresh`: the one before was refused. Throws `Failure`. */
  authorization(fresh: boolean): Promise<string | undefined>
}

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
/** A projected token is replaced long before it expires, at 80 % of its life, and lives ten minutes at least. */
const TOKEN_AGE_MS = 60_000
const ENVIRONMENT_LIMIT = 1_000

/** undefined with `auth_type: none`. Throws `Failure`. */
export async function openAccess(
  config: KubernetesConfig,
  clock: Clock,
  folder = SERVICE_ACCOUNT_FOLDER,
): Promise<ClusterAccess | undefined> {
  if (config.authType === 'none') return undefined
  if (config.authType === 'serviceAccount') return serviceAccount(new URL(config.server!), clock, folder)
  const file = config.kubeconfig!
  const context = await readKubeconfig(file, config.context)
  if (context.exec) return execAccess(file, context, context.exec)
  return context.hasProvider ? providerAccess(file, context) : kubeconfigAccess(context, clock)
}

function serviceAccount(server: URL, clock: Clock, folder: string): ClusterAccess {
  const token = tokenReader({ file: `${folder}/token` }, clock)
  return {
    server,
    tls: async () => ({ ca: contentOf({ file: `${folder}/ca.crt` }) }),
    authorization: async fresh => token(fresh),
  }
}

function kubeconfigAccess(context: KubeconfigContext, clock: Clock): ClusterAccess {
  const { server, token, basic } = context
  const readToken = token && tokenReader(token, clock)
  const fixed = basic === undefined ? undefined : `Basic ${Buffer.from(basic).toString('base64')}`
  return { server, tls: async () => tlsOf(context), authorization: async fresh => readToken?.(fresh) ?? fixed }
}

function tlsOf({ ca, certificate, key, serverName, isInsecure }: KubeconfigContext): ConnectionOptions {
  return {
    ...(ca && { ca: contentOf(ca) }),
    ...(certificate && { cert: contentOf(certificate) }),
    ...(key && { key: contentOf(key) }),
    ...(serverName !== undefined && { servername: serverName }),
    rejectUnauthorized: !isInsecure,
  }
}

/** The header's value; `fresh`: the one before was refused. Throws `Failure`. */
export function tokenReader(material: Material, clock: Clock): (fresh: boolean) => string {
  let header = ''
  let readAtMs = Number.NEGATIVE_INFINITY
  return fresh => {
    const nowMs = clock.monotonicMs()
    if (fresh || nowMs - readAtMs > TOKEN_AGE_MS) {
      header = `Bearer ${contentOf(material).trim()}`
      readAtMs = nowMs
    }
    return header
  }
}

/** The official client runs the program and knows its protocol. */
async function execAccess(file: string, context: KubeconfigContext, exec: Fields): Promise<ClusterAccess> {
  const { ExecAuth } = await import('@kubernetes/client-node/dist/exec_auth.js')
  const user = { name: context.name, exec: { ...exec, env: environmentOf(exec) } }
  let program = new ExecAuth()
  const ask = (options: RequestOptions) => program.applyAuthentication(user, options)
  return pluginAccess(file, context, ask, () => {
    program = new ExecAuth()
  })
}

/** What programs expect that the official client does not give them. */
function environmentOf({ apiVersion, env }: Fields): unknown[] {
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  return [...listOf(env, ENVIRONMENT_LIMIT), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }]
}

/** The official client knows providers of identities; this part of it weighs 83 MB, and nobody else loads it. */
async function providerAccess(file: string, context: KubeconfigContext): Promise<ClusterAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
  const load = () => {
    const config = new KubeConfig()
    config.loadFromFile(file)
    config.setCurrentContext(context.name)
    return config
  }
  let config = load()
  return pluginAccess(
    file,
    context,
    options => config.applyToHTTPSOptions(options),
    () => {
      config = load()
    },
  )
}

/** `forget`: what it was told counts until it expires, also when the server has refused it. */
function pluginAccess(
  file: string,
  context: KubeconfigContext,
  ask: (options: RequestOptions) => Promise<void>,
  forget: () => void,
): ClusterAccess {
  const credentials = async (): Promise<RequestOptions> => {
    const options: RequestOptions = { headers: {} }
    try {
      await ask(options)
    } catch (error) {
      throw new Failure({
        ...{ step: 'ask for credentials', subject: `${file}, context ${context.name}` },
        ...{ cause: (error as Error).message, remedy: 'see whether kubectl works with it' },
      })
    }
    return options
  }
  return {
    server: context.server,
    tls: async () => {
      const { cert, key } = await credentials()
      return { ...tlsOf(context), ...(cert && { cert }), ...(key && { key }) }
    },
    authorization: async fresh => {
      if (fresh) forget()
      const found = ((await credentials()).headers as Record<string, unknown>).Authorization
      return typeof found === 'string' ? found : undefined
    },
  }
}
