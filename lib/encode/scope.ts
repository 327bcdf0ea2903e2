// The instrumentation scope of everything that we send.

export interface Scope {
  readonly name: string
  readonly version: string
  /** Says which version of the semantic conventions the names of attributes are those of. */
  readonly schemaUrl: string
}

export function podweirScope(version: string): Scope {
  return { name: 'podweir', version, schemaUrl: 'https://opentelemetry.io/schemas/1.45.0' }
}
