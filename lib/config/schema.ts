// The settings file's shape, keys as written in it, with every default.
import { posix } from 'node:path'
import { z } from 'zod'
import { healthCheckSchema } from './health-check.ts'
import { pipelinesSchema } from './pipelines.ts'
import { receiverSchema } from './receiver.ts'
import { choice, list, required, section, text, validate } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

export const defaultApiEndpoint = 'unix:///run/podweir/podweir.sock'

/** sockaddr_un's path holds 108 bytes, the last of which is 0. */
const longestSocketPath = 107

const apiSchema = section({
  endpoint: text('unix:///PATH of a socket, at most 107 characters', isSocketEndpoint).default(defaultApiEndpoint),
})

const serviceSchema = section({
  extensions: list(choice('api', 'health_check'), 'a list of extensions: [api, health_check]').default(['api']),
  pipelines: pipelinesSchema.default({}),
  telemetry: section({
    logs: section({ level: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info') }),
    resource: z
      .record(z.string(), text('text, in quotes where it looks like a number'), {
        error: 'a mapping of attributes to text',
      })
      .default({}),
  }),
})

/** Sections are checked one by one, so that a fault in one hides none in another. */
export const sectionSchemas = {
  receivers: section({ podweir: receiverSchema }),
  exporters: z
    .record(z.string(), z.unknown(), { error: 'a mapping of otlp_grpc, file, debug, each with an optional /NAME' })
    .default({}),
  extensions: section({ api: apiSchema, health_check: healthCheckSchema }),
  service: serviceSchema,
}

const rootSchema = required({
  receivers: z.unknown().optional(),
  exporters: z.unknown().optional(),
  extensions: z.unknown().optional(),
  service: z.unknown().optional(),
})

/** A section is undefined when something in it is wrong; the document has the problems. */
export interface Settings {
  readonly receivers: z.output<typeof sectionSchemas.receivers> | undefined
  readonly exporters: z.output<typeof sectionSchemas.exporters> | undefined
  readonly extensions: z.output<typeof sectionSchemas.extensions> | undefined
  readonly service: z.output<typeof sectionSchemas.service> | undefined
}

export function readSettings(document: YamlDocument): Settings {
  const root = document.value ?? {}
  validate(document, rootSchema, root)
  const given = root as Record<string, unknown>
  return {
    receivers: validate(document, sectionSchemas.receivers, given.receivers, ['receivers']),
    exporters: validate(document, sectionSchemas.exporters, given.exporters, ['exporters']),
    extensions: validate(document, sectionSchemas.extensions, given.extensions, ['extensions']),
    service: validate(document, sectionSchemas.service, given.service, ['service']),
  }
}

function isSocketEndpoint(value: string): boolean {
  const path = /^unix:\/\/(\/.+)$/.exec(value)?.[1]
  return path !== undefined && !path.endsWith('/') && Buffer.byteLength(posix.normalize(path)) <= longestSocketPath
}
