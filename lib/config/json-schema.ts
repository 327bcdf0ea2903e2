// The settings' shape as JSON Schema, made of the same schemas that check a file: for editors and for whatever writes one.
import { z } from 'zod'
import { exporterKinds } from './exporters.ts'
import { extensionSchemas } from './extensions.ts'
import { processorSchemas } from './processors.ts'
import { sectionSchemas } from './schema.ts'
import { settingDescriptions } from './setting-descriptions.ts'

export interface JsonSchema {
  type?: string | string[]
  description?: string
  enum?: unknown[]
  anyOf?: JsonSchema[]
  properties?: Record<string, JsonSchema>
  patternProperties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  items?: JsonSchema
  [keyword: string]: unknown
}

/** Takes the place of any value but a mapping or a list. */
const substituted: JsonSchema = { type: 'string', pattern: '\\$\\{.+\\}' }
const nothing: JsonSchema = { type: 'null' }

/** `example`: a settings file with every setting, whose comments describe them. */
export function settingsSchema(example: string): JsonSchema {
  const descriptions = settingDescriptions(example)
  const whole = (section: keyof typeof sectionSchemas) =>
    described(jsonSchema(sectionSchemas[section]), section, descriptions)
  const byType = (section: string, schemas: Readonly<Record<string, z.ZodType>>) =>
    described(mappingByType(schemas), section, descriptions)
  const exporters = Object.fromEntries(Object.entries(exporterKinds).map(([type, { schema }]) => [type, schema]))
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of podweir agent',
    type: ['object', 'null'],
    additionalProperties: false,
    properties: {
      receivers: whole('receivers'),
      processors: byType('processors', processorSchemas),
      exporters: byType('exporters', { ...exporters, otlp: exporters.otlp_grpc!, otlphttp: exporters.otlp_http! }),
      extensions: byType('extensions', extensionSchemas),
      resolver: whole('resolver'),
      service: whole('service'),
    },
  }
}

/** Keys are `type` or `type/name`. */
function mappingByType(schemas: Readonly<Record<string, z.ZodType>>): JsonSchema {
  const patternProperties = Object.fromEntries(
    Object.entries(schemas).map(([type, schema]) => [`^${type}(/.+)?$`, jsonSchema(schema)]),
  )
  return { type: ['object', 'null'], additionalProperties: false, patternProperties }
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: made }) => adapt(zodSchema, made as JsonSchema),
  })
  return rest as JsonSchema
}

/** What a settings file may hold beside what the schema wants: nothing, and what is put in for it. */
function adapt(zodSchema: z.core.$ZodType, made: JsonSchema): void {
  const { type, error } = zodSchema._zod.def
  const allowed = error?.({} as never)
  if (type === 'object' || type === 'record' || type === 'array')
    made.type = [type === 'array' ? 'array' : 'object', 'null']
  if (type === 'string') made.type = ['string', ...(/, or off$/.test(String(allowed)) ? ['boolean'] : []), 'null']
  if (type === 'string' && typeof allowed === 'string') made.description = `Allowed: ${allowed}.`
  if (type !== 'number' && type !== 'boolean' && type !== 'enum') return
  const alone = { ...made }
  for (const key of Object.keys(made)) delete made[key]
  const word = alone.enum?.includes('off') ? [{ type: 'boolean' }] : []
  // Without quotes `1.2` is a number.
  const numbers = alone.enum?.every(each => !Number.isNaN(Number(each))) ? [{ enum: alone.enum.map(Number) }] : []
  made.anyOf = [alone, ...word, ...numbers, substituted, nothing]
}

function described(schema: JsonSchema, path: string, descriptions: ReadonlyMap<string, string>): JsonSchema {
  const told = descriptions.get(path) ?? descriptions.get(path.replace(/^exporters\.\w+\./, 'exporters.otlp_grpc.'))
  const result = { ...schema }
  if (told !== undefined) result.description = [told, schema.description].filter(Boolean).join(' ')
  const inside = (properties: Record<string, JsonSchema>) =>
    Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [key, described(value, `${path}.${typeIn(key)}`, descriptions)]),
    )
  if (schema.properties) result.properties = inside(schema.properties)
  if (schema.patternProperties) result.patternProperties = inside(schema.patternProperties)
  return result
}

/** `^otlp_grpc(/.+)?$` is about `otlp_grpc`. */
function typeIn(key: string): string {
  return /^\^?(\w+)/.exec(key)?.[1] ?? key
}
