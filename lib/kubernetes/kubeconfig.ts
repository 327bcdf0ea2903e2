// One context of a kubeconfig file: where the server is, whom to trust, who we are. JSON or YAML, as kubectl reads it.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Failure } from '../host/failure.ts'
import { parsedJson } from './api-failure.ts'
import { type Fields, fieldsOf } from './object-fields.ts'

/** A file's content is read when it is needed: certificates and tokens are replaced while we run. */
export type Material = { readonly file: string } | { readonly content: string }

export interface KubeconfigContext {
  readonly name: string
  readonly server: URL
  readonly ca?: Material
  readonly serverName?: string
  readonly isInsecure: boolean
  readonly certificate?: Material
  readonly key?: Material
  readonly token?: Material
  /** `user:password` */
  readonly basic?: string
  /** The program that says who we are, as the file has it. */
  readonly exec?: Fields
  /** Who we are is asked of a provider of identities. */
  readonly hasProvider: boolean
}

const STEP = 'read kubeconfig'
const entries = { contexts: 'context', clusters: 'cluster', users: 'user' } as const

/** Throws `Failure`. */
export async function readKubeconfig(file: string, context: string | undefined): Promise<KubeconfigContext> {
  const root = fieldsOf(await parse(file))
  const name = context ?? root['current-context']
  if (typeof name !== 'string' || name === '')
    throw refuse(file, 'it has no current context', 'set receivers.podweir.kubernetes.context')
  const chosen = entryOf(file, root, 'contexts', name)
  const cluster = entryOf(file, root, 'clusters', chosen.cluster)
  const user = chosen.user === undefined ? {} : entryOf(file, root, 'users', chosen.user)
  refuseUnknown(file, cluster, user)
  const folder = dirname(file)
  const ca = materialOf(cluster, 'certificate-authority', folder)
  const certificate = materialOf(user, 'client-certificate', folder)
  const key = materialOf(user, 'client-key', folder)
  const token = tokenOf(user, folder)
  const serverName = cluster['tls-server-name']
  return {
    name,
    server: serverOf(file, cluster),
    ...(ca && { ca }),
    ...(typeof serverName === 'string' && { serverName }),
    isInsecure: cluster['insecure-skip-tls-verify'] === true,
    ...(certificate && { certificate }),
    ...(key && { key }),
    ...(token && { token }),
    ...(typeof user.username === 'string' && { basic: `${user.username}:${String(user.password ?? '')}` }),
    ...(user.exec !== undefined && { exec: fieldsOf(user.exec) }),
    hasProvider: user['auth-provider'] !== undefined,
  }
}

export function contentOf(material: Material): string {
  if ('content' in material) return material.content
  try {
    return readFileSync(material.file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const remedy = 'let the agent read it, or name another file'
    throw new Failure({ step: 'read credentials', subject: material.file, cause: code ?? message, remedy })
  }
}

/** The parser of YAML weighs megabytes: it is loaded for who needs it. */
async function parse(file: string): Promise<unknown> {
  const text = contentOf({ file })
  const json = parsedJson(text)
  if (json !== undefined) return json
  try {
    const { parse } = await import('yaml')
    return parse(text) as unknown
  } catch (error) {
    throw refuse(file, (error as Error).message.split('\n')[0]!, 'correct the file: kubectl config view')
  }
}

function entryOf(file: string, root: Fields, list: keyof typeof entries, name: unknown): Fields {
  const found = (Array.isArray(root[list]) ? root[list] : []).map(fieldsOf).find(each => each.name === name)
  if (found) return fieldsOf(found[entries[list]])
  throw refuse(file, `${list} has no '${String(name)}'`, 'see: kubectl config view')
}

/** What would be ignored would be wrong without a word. */
function refuseUnknown(file: string, cluster: Fields, user: Fields): void {
  const found = cluster['proxy-url'] !== undefined ? 'proxy-url' : user.as !== undefined ? 'as' : undefined
  if (found) throw refuse(file, `'${found}' is not supported`, 'use a context without it')
}

function serverOf(file: string, cluster: Fields): URL {
  const server = URL.canParse(String(cluster.server)) ? new URL(String(cluster.server)) : undefined
  if (server && (server.protocol === 'https:' || server.protocol === 'http:')) return server
  throw refuse(file, `'${String(cluster.server)}' is no server`, 'write https://HOST:PORT')
}

/** `KEY-data` is in the file itself and beats `KEY`, a path. */
function materialOf(fields: Fields, key: string, folder: string): Material | undefined {
  const data = fields[`${key}-data`]
  if (typeof data === 'string' && data !== '') return { content: Buffer.from(data, 'base64').toString() }
  const path = fields[key]
  return typeof path === 'string' && path !== '' ? { file: resolve(folder, path) } : undefined
}

function tokenOf(user: Fields, folder: string): Material | undefined {
  const { token, tokenFile } = user
  if (typeof tokenFile === 'string' && tokenFile !== '') return { file: resolve(folder, tokenFile) }
  return typeof token === 'string' && token !== '' ? { content: token } : undefined
}

function refuse(subject: string, cause: string, remedy: string): Failure {
  return new Failure({ step: STEP, subject, cause, remedy })
}
