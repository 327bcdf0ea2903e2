// What spans and log records have around them in OTLP JSON.

import type { Signal } from '../config/signal.ts'
import type { SignalResource } from '../signals/attribute-set.ts'
import { attributeElements, textJson } from './attribute-json.ts'
import type { EncodedRequest } from './encoded-request.ts'
import { cutIntoRequests } from './requests.ts'
import type { Scope } from './scope.ts'

/** One span or log record as text. */
export interface JsonRecord {
  readonly resource: SignalResource
  readonly traceId?: string
  readonly text: string
}

const names = {
  traces: { request: 'resourceSpans', scope: 'scopeSpans', records: 'spans' },
  logs: { request: 'resourceLogs', scope: 'scopeLogs', records: 'logRecords' },
} as const

/** Braces, brackets, names and commas around a resource's records. */
const FRAME_SIZE = 160

export function jsonRequests(
  signal: Exclude<Signal, 'metrics'>,
  scope: Scope,
  records: readonly JsonRecord[],
): EncodedRequest[] {
  const scopeText = `{"name":${textJson(scope.name)},"version":${textJson(scope.version)}}`
  const schemaUrl = textJson(scope.schemaUrl)
  const name = names[signal]
  const sizes = {
    item: ({ text }: JsonRecord) => Buffer.byteLength(text) + 1,
    resource: ({ set }: SignalResource) =>
      FRAME_SIZE + Buffer.byteLength(attributeElements(set) + scopeText) + 2 * schemaUrl.length,
  }
  return cutIntoRequests(records, sizes).map(({ byResource, items }) => {
    const parts: string[] = []
    for (const [{ set }, ofResource] of byResource) {
      const elements = attributeElements(set)
      const resource = elements === '' ? '{}' : `{"attributes":[${elements}]}`
      const texts = ofResource.map(({ text }) => text).join(',')
      const ofScope = `{"scope":${scopeText},"${name.records}":[${texts}],"schemaUrl":${schemaUrl}}`
      parts.push(`{"resource":${resource},"${name.scope}":[${ofScope}],"schemaUrl":${schemaUrl}}`)
    }
    return { signal, body: Buffer.from(`{"${name.request}":[${parts.join(',')}]}`), items }
  })
}

/** `,"attributes":[…]` of both sets; nothing where both are empty. */
export function attributesField(...sets: readonly (Parameters<typeof attributeElements>[0] | undefined)[]): string {
  const elements = sets.flatMap(set => (set ? attributeElements(set) || [] : [])).join(',')
  return elements === '' ? '' : `,"attributes":[${elements}]`
}
