// Where the Kubernetes API server is and what is asked of it, as a settings file says it: `receivers.podweir.kubernetes`.
import { posix } from 'node:path'
import type { z } from 'zod'
import type { ReadingContext } from './reading-context.ts'
import {
  describeResolverClient,
  type ResolverClientConfig,
  resolverClientConfig,
  resolverClientSchema,
} from './resolver.ts'
import type { Environment } from './substitution.ts'
import { choice, list, section, text } from './validation.ts'

export interface KubernetesConfig {
  /** `none`: no API server is asked, and nothing else of this counts. */
  readonly authType: 'serviceAccount' | 'kubeConfig' | 'none'
  /** `https://HOST:PORT`, for `serviceAccount`. */
  readonly server?: string
  /** A file, for `kubeConfig`. */
  readonly kubeconfig?: string
  /** One of the kubeconfig's; absent: its current one. */
  readonly context?: string
  /** The node whose pods are the local ones; absent: nobody has said, or no API server is asked. */
  readonly nodeName?: string
  /** Whether all pods and Services of the cluster are watched, or only this node's pods, and somebody else asked for others. */
  readonly peers: 'watch' | 'resolver' | 'none'
  /** For `peers: resolver`. */
  readonly resolver?: ResolverClientConfig
  /** Keys of pods' labels and annotations that are kept. */
  readonly labels: readonly string[]
  readonly annotations: readonly string[]
}

const PATH = ['receivers', 'podweir', 'kubernetes']
/** Each one costs memory for every pod of the cluster. */
const KEY_LIMIT = 64
/** What a pod's resolver makes the API server's address of. */
const IN_CLUSTER_NAME = 'kubernetes.default.svc'

const nodeForm = 'the name of a node: lower case letters, digits, - and .'
const labelForm = 'the key of a label: NAME or PREFIX/NAME'
const annotationForm = 'the key of an annotation: NAME or PREFIX/NAME'

export const kubernetesSchema = section({
  auth_type: choice('serviceAccount', 'kubeConfig', 'none').optional(),
  kubeconfig: text('the path of a file').optional(),
  context: text('the name of a context of the kubeconfig').optional(),
  node_name: text(nodeForm, value => /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(value)).optional(),
  peers: choice('watch', 'resolver', 'none').default('watch'),
  resolver: resolverClientSchema.optional(),
  labels: keys(labelForm),
  annotations: keys(annotationForm),
})

type KubernetesSettings = z.output<typeof kubernetesSchema>

/** `nodeName`: what the agent's own resource says. */
export function kubernetesConfig(
  context: ReadingContext,
  settings: KubernetesSettings,
  resourceNode: string | undefined,
): KubernetesConfig {
  const { document, environment, warnings } = context
  const authType = settings.auth_type ?? (environment.KUBERNETES_SERVICE_HOST ? 'serviceAccount' : 'none')
  const nodeName = settings.node_name ?? resourceNode
  const { peers, resolver, labels, annotations } = settings
  const isFile = authType === 'kubeConfig'
  const node = document.originOf(['service', 'telemetry', 'resource', 'k8s.node.name'])
  if (environment.KUBERNETES_SERVICE_HOST) document.note([...PATH, 'auth_type'], 'KUBERNETES_SERVICE_HOST')
  if (node !== undefined) document.note([...PATH, 'node_name'], node)
  if (!isFile && authType !== 'none' && (settings.kubeconfig ?? settings.context) !== undefined)
    warnings.push(`kubernetes: kubeconfig and context are ignored with auth_type ${authType}`)
  if (peers !== 'resolver' && resolver) warnings.push(`kubernetes: resolver is ignored with peers: ${peers}`)
  if (authType !== 'none' && peers !== 'watch' && nodeName === undefined)
    warnings.push('kubernetes: neither node_name nor k8s.node.name is set: this node’s pods will not be known')
  return {
    authType,
    ...(authType === 'serviceAccount' && { server: serverOf(environment) }),
    ...(isFile && { kubeconfig: settings.kubeconfig ?? usualFile(context) }),
    ...(isFile && settings.context !== undefined && { context: settings.context }),
    ...(authType !== 'none' && nodeName !== undefined && { nodeName }),
    ...{ peers, labels, annotations },
    ...(peers === 'resolver' && resolver && { resolver: resolverClientConfig(resolver) }),
  }
}

export function describeKubernetes(config: KubernetesConfig) {
  const { authType, kubeconfig, context, nodeName, peers, resolver, ...keys } = config
  return {
    auth_type: authType,
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
    ...(nodeName !== undefined && { node_name: nodeName }),
    peers,
    ...(resolver && { resolver: describeResolverClient(resolver) }),
    ...{ labels: keys.labels, annotations: keys.annotations },
  }
}

function serverOf({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port }: Environment): string {
  const name = host || IN_CLUSTER_NAME
  return `https://${name.includes(':') ? `[${name}]` : name}:${port || 443}`
}

/** kubectl merges several files; who needs that names the one that counts. */
function usualFile({ document, environment: { KUBECONFIG, HOME }, warnings }: ReadingContext): string {
  const [first, ...more] = (KUBECONFIG ?? '').split(posix.delimiter).filter(Boolean)
  if (more.length > 0) warnings.push(`KUBECONFIG: only the first file is read, ${first}`)
  document.note([...PATH, 'kubeconfig'], first === undefined ? 'HOME' : 'KUBECONFIG')
  return first ?? posix.join(HOME || '/', '.kube/config')
}

function keys(form: string) {
  return list(
    text(form, value => /^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/.test(value)),
    'a list of keys',
  )
    .max(KEY_LIMIT, { error: `at most ${KEY_LIMIT} keys` })
    .default([])
}
