// What the chart's values may be: `config` is what the agent's own settings may be.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type JsonSchema, settingsSchema } from '../../lib/config/json-schema.ts'

/** Of Kubernetes: the API server knows what may be in it. */
const mapping = z.record(z.string(), z.unknown())
const mappings = z.array(mapping)
const texts = z.record(z.string(), z.string())
const port = z.int().min(1).max(65_535)
const name = z.string().regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/)
const choice = <const T extends readonly string[]>(...words: T) => z.enum(words)

const placement = { nodeSelector: texts, tolerations: mappings, affinity: mapping }
const ofPods = { podAnnotations: texts, podLabels: texts, priorityClassName: name, resources: mapping }

const resolver = z.strictObject({
  enabled: z.boolean(),
  replicas: z.int().min(1),
  port,
  tlsSecret: name,
  ...placement,
  ...ofPods,
  podDisruptionBudget: z.strictObject({
    enabled: z.boolean(),
    maxUnavailable: z.union([z.int().min(0), z.string().regex(/^\d+%$/)]),
  }),
  networkPolicy: z.strictObject({ enabled: z.boolean() }),
})

const values = z.strictObject({
  image: z.strictObject({
    repository: z.string().min(1),
    tag: z.union([z.string(), z.number()]),
    digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
    pullPolicy: choice('IfNotPresent', 'Always', 'Never'),
  }),
  imagePullSecrets: z.array(z.strictObject({ name })),
  profile: choice('standard', 'restricted'),
  otlp: z.strictObject({
    endpoint: z.string().regex(/^(https?:\/\/.+)?$/),
    headersSecret: z.strictObject({ name, key: z.string().min(1) }),
  }),
  clusterName: z.string(),
  existingConfigMap: name,
  health: z.strictObject({ port }),
  seccomp: z.strictObject({
    profile: choice('localhost', 'runtimeDefault', 'unconfined'),
    directory: z.string().regex(/^\//),
  }),
  appArmor: choice('', 'RuntimeDefault', 'Unconfined'),
  extraCapabilities: z.array(z.string().regex(/^[A-Z_]+$/)),
  updateStrategy: mapping,
  terminationGracePeriodSeconds: z.int().min(10),
  ...placement,
  ...ofPods,
  extraEnv: mappings,
  extraVolumes: mappings,
  extraVolumeMounts: mappings,
  serviceAccount: z.strictObject({ create: z.boolean(), name, annotations: texts }),
  rbac: z.strictObject({ create: z.boolean() }),
  uninstall: z.strictObject({ takeOff: z.boolean(), limitSeconds: z.int().min(30) }),
  prometheusRule: z.strictObject({ enabled: z.boolean(), labels: texts }),
  resolver,
  nameOverride: name,
  fullnameOverride: name,
  extraManifests: z.array(z.union([mapping, z.string()])),
  // Of a chart that has this one in it.
  global: mapping.optional(),
})

/** Of values.schema.json. Descriptions are in values.yaml, and in the agent's own settings. */
export function valuesSchema(): JsonSchema {
  const made = z.toJSONSchema(values, { target: 'draft-2020-12', io: 'input' }) as JsonSchema
  const { $schema: _, title: __, ...config } = settingsSchema('')
  // A value that somebody leaves out has its default, whatever it is.
  const { required: ___, ...rest } = made
  return { ...rest, title: 'Values of the podweir chart', properties: { ...made.properties, config } }
}

export function valuesSchemaText(): string {
  return `${JSON.stringify(valuesSchema(), undefined, 1)}\n`
}

/** Files outside of the chart that it has too: a chart can't look outside of itself. */
export const copies = { 'seccomp.json': '../seccomp/podweir.json', 'detach.yaml': '../detach.yaml' } as const

export function copyOf(file: keyof typeof copies): string {
  return readFileSync(new URL(copies[file], import.meta.url), 'utf8')
}
