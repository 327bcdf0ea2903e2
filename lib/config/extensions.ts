// What the agent offers beside its data, as a settings file names it.
import { posix } from 'node:path'
import { z } from 'zod'
import { didYouMean } from './did-you-mean.ts'
import { describeFileStorage, type FileStorageConfig, fileStorageConfig, fileStorageSchema } from './file-storage.ts'
import { describeHealthCheck, type HealthCheckConfig, healthCheckConfig, healthCheckSchema } from './health-check.ts'
import { formatListenEndpoint, type ListenEndpoint } from './listen-endpoint.ts'
import type { Path } from './problems.ts'
import { listenEndpoint, section, text, typeOf, validate } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

/** Those that `service.extensions` names. */
export interface ExtensionsConfig {
  /** `unix:///PATH`; absent: no API. */
  readonly apiEndpoint?: string
  /** Absent: nobody asks by HTTP whether we are ready. */
  readonly healthCheck?: HealthCheckConfig
  /** Absent: no pages about pipelines. */
  readonly zpages?: ListenEndpoint
  readonly fileStorages: readonly FileStorageConfig[]
}

export const defaultApiEndpoint = 'unix:///run/podweir/podweir.sock'

/** sockaddr_un's path holds 108 bytes, the last of which is 0. */
const longestSocketPath = 107

export const extensionSchemas = {
  api: section({
    endpoint: text('unix:///PATH of a socket, at most 107 characters', isSocketEndpoint).default(defaultApiEndpoint),
  }),
  health_check: healthCheckSchema,
  zpages: section({ endpoint: listenEndpoint('localhost:55679').default({ host: 'localhost', port: 55_679 }) }),
  file_storage: fileStorageSchema,
}

type ExtensionType = keyof typeof extensionSchemas

export const extensionTypes = Object.keys(extensionSchemas)

const allowedTypes = `${extensionTypes.join(', ')}, the last with an optional /NAME`

export const extensionsSchema = z.record(z.string(), z.unknown(), { error: `a mapping of ${allowedTypes}` }).default({})

/** `used`: what `service.extensions` names. One that is not defined has its defaults. */
export function readExtensions(
  document: YamlDocument,
  defined: Readonly<Record<string, unknown>>,
  used: readonly string[],
  warnings: string[],
): ExtensionsConfig {
  const config: { -readonly [K in keyof ExtensionsConfig]: ExtensionsConfig[K] } = { fileStorages: [] }
  for (const id of Object.keys(defined)) refuseUnknown(document, ['extensions', id], id)
  for (const [i, id] of used.entries()) refuseUnknown(document, ['service', 'extensions', i], id)
  for (const id of new Set([...Object.keys(defined), ...used])) {
    const path = ['extensions', id]
    const isUsed = used.includes(id)
    if (!isUsed && id !== 'api' && extensionTypeOf(id)) {
      const what = 'is not in service.extensions: it is off'
      warnings.push(document.problems.line(document.placeOfKey(path), path, what))
    }
    const read = readExtension(document, id, defined[id])
    if (!isUsed || !read) continue
    if ('directory' in read) config.fileStorages = [...config.fileStorages, read]
    else Object.assign(config, read)
  }
  refuseSharedDirectories(document, config.fileStorages)
  return config
}

/** As settings: `extensions`, and which of them `service.extensions` names. */
export function describeExtensions(config: ExtensionsConfig) {
  const { apiEndpoint, healthCheck, zpages, fileStorages } = config
  const settings = {
    api: { endpoint: apiEndpoint ?? defaultApiEndpoint },
    ...(healthCheck && { health_check: describeHealthCheck(healthCheck) }),
    ...(zpages && { zpages: { endpoint: formatListenEndpoint(zpages) } }),
    ...Object.fromEntries(fileStorages.map(each => [each.id, describeFileStorage(each)])),
  }
  const used = Object.keys(settings).filter(id => id !== 'api' || apiEndpoint !== undefined)
  return { settings, used }
}

function readExtension(document: YamlDocument, id: string, value: unknown) {
  const path = ['extensions', id]
  switch (extensionTypeOf(id)) {
    case 'api': {
      const api = validate(document, extensionSchemas.api, value, path)
      return api && { apiEndpoint: api.endpoint }
    }
    case 'health_check': {
      const healthCheck = validate(document, healthCheckSchema, value, path)
      return healthCheck && { healthCheck: healthCheckConfig(healthCheck) }
    }
    case 'zpages': {
      const zpages = validate(document, extensionSchemas.zpages, value, path)
      return zpages && { zpages: zpages.endpoint }
    }
    case 'file_storage': {
      const storage = validate(document, fileStorageSchema, value, path)
      return storage && fileStorageConfig(id, storage)
    }
  }
}

/** undefined: there is no such extension. Of most there can be only one. */
function extensionTypeOf(id: string): ExtensionType | undefined {
  const type = typeOf(id)
  if (type === undefined || !Object.hasOwn(extensionSchemas, type)) return undefined
  return type === id || type === 'file_storage' ? (type as ExtensionType) : undefined
}

function refuseUnknown(document: YamlDocument, path: Path, id: string): void {
  if (extensionTypeOf(id)) return
  const place = typeof path.at(-1) === 'number' ? document.placeOf(path) : document.placeOfKey(path)
  const what = `unknown extension '${id}'${didYouMean(id.split('/')[0]!, extensionTypes)}`
  document.problems.add(place, path, what, allowedTypes)
}

function refuseSharedDirectories(document: YamlDocument, storages: readonly FileStorageConfig[]): void {
  const owners = new Map<string, string>()
  for (const { id, directory } of storages) {
    const path = ['extensions', id, 'directory']
    const place = posix.resolve(directory)
    const other = owners.get(place)
    if (other !== undefined)
      document.problems.add(document.placeOf(path), path, `is the directory of ${other} too`, 'another directory')
    owners.set(place, id)
  }
}

function isSocketEndpoint(value: string): boolean {
  const path = /^unix:\/\/(\/.+)$/.exec(value)?.[1]
  return path !== undefined && !path.endsWith('/') && Buffer.byteLength(posix.normalize(path)) <= longestSocketPath
}
