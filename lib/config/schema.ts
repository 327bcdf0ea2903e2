// The settings file's shape, keys as written in it, with every default.
import { z } from 'zod'
import { exporterTypes } from './exporters.ts'
import { extensionsSchema } from './extensions.ts'
import { ownTelemetrySchema } from './own-telemetry.ts'
import { pipelinesSchema } from './pipelines.ts'
import { processorsSchema } from './processors.ts'
import { receiverSchema } from './receiver.ts'
import { resolverSchema } from './resolver.ts'
import { choice, list, required, section, text, validate } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

const serviceSchema = section({
  extensions: list(text('the name of an extension'), 'a list of extensions: [api, health_check]').default(['api']),
  pipelines: pipelinesSchema.default({}),
  telemetry: section({
    logs: section({ level: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info') }),
    metrics: ownTelemetrySchema,
    resource: z
      .record(z.string(), text('text, in quotes where it looks like a number'), {
        error: 'a mapping of attributes to text',
      })
      .default({}),
  }),
})

const exportersForm = `a mapping of ${exporterTypes.join(', ')}, each with an optional /NAME`

/** Sections are checked one by one, so that a fault in one hides none in another. */
export const sectionSchemas = {
  receivers: section({ podweir: receiverSchema }),
  processors: processorsSchema,
  exporters: z.record(z.string(), z.unknown(), { error: exportersForm }).default({}),
  extensions: extensionsSchema,
  resolver: resolverSchema.optional(),
  service: serviceSchema,
}

const rootSchema = required({
  receivers: z.unknown().optional(),
  processors: z.unknown().optional(),
  exporters: z.unknown().optional(),
  extensions: z.unknown().optional(),
  resolver: z.unknown().optional(),
  service: z.unknown().optional(),
})

/** A section is undefined when something in it is wrong; the document has the problems. */
export interface Settings {
  readonly receivers: z.output<typeof sectionSchemas.receivers> | undefined
  readonly processors: z.output<typeof sectionSchemas.processors> | undefined
  readonly exporters: z.output<typeof sectionSchemas.exporters> | undefined
  readonly extensions: z.output<typeof sectionSchemas.extensions> | undefined
  /** Also when there is none. */
  readonly resolver: z.output<typeof sectionSchemas.resolver>
  readonly service: z.output<typeof sectionSchemas.service> | undefined
}

export function readSettings(document: YamlDocument): Settings {
  const root = document.value ?? {}
  validate(document, rootSchema, root)
  const given = root as Record<string, unknown>
  return {
    receivers: validate(document, sectionSchemas.receivers, given.receivers, ['receivers']),
    processors: validate(document, sectionSchemas.processors, given.processors, ['processors']),
    exporters: validate(document, sectionSchemas.exporters, given.exporters, ['exporters']),
    extensions: validate(document, sectionSchemas.extensions, given.extensions, ['extensions']),
    resolver: validate(document, sectionSchemas.resolver, given.resolver ?? undefined, ['resolver']),
    service: validate(document, sectionSchemas.service, given.service, ['service']),
  }
}
