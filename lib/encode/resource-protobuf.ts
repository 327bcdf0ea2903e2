// What spans and log records have around them: `repeated ResourceX`, each with one scope (the same field numbers in both).
import type { SignalResource } from '../signals/attribute-set.ts'
import { attributeBytes } from './attribute-bytes.ts'
import type { ProtobufWriter } from './protobuf-writer.ts'
import type { ByResource } from './requests.ts'
import type { Scope } from './scope.ts'

const request = { ofResource: 1 } as const
const ofResource = { resource: 1, ofScope: 2, schemaUrl: 3 } as const
const ofScope = { scope: 1, records: 2, schemaUrl: 3 } as const
const resource = { attributes: 1 } as const
const scopeField = { name: 1, version: 2 } as const

/** Tags and lengths of the four messages and of their texts. */
const FRAME_SIZE = 40

export type WriteRecord<Item> = (writer: ProtobufWriter, field: number, item: Item) => void

export function writeByResource<Item>(
  writer: ProtobufWriter,
  byResource: ByResource<Item>,
  scope: Scope,
  writeRecord: WriteRecord<Item>,
): void {
  for (const [of, items] of byResource) {
    writer.begin(request.ofResource, 2)
    writer.begin(ofResource.resource, 2)
    writer.encoded(attributeBytes(of.set, resource.attributes))
    writer.end()
    writer.begin(ofResource.ofScope, 2)
    writeScope(writer, scope)
    for (const item of items) writeRecord(writer, ofScope.records, item)
    writer.text(ofScope.schemaUrl, scope.schemaUrl)
    writer.end()
    writer.text(ofResource.schemaUrl, scope.schemaUrl)
    writer.end()
  }
}

export function writeScope(writer: ProtobufWriter, { name, version }: Scope): void {
  writer.begin(ofScope.scope, 1)
  writer.text(scopeField.name, name)
  writer.text(scopeField.version, version)
  writer.end()
}

export function resourceSize(scope: Scope): (resource: SignalResource) => number {
  const texts = (scope.name.length + scope.version.length + 2 * scope.schemaUrl.length) * 3
  return ({ set }) => FRAME_SIZE + texts + attributeBytes(set, resource.attributes).length
}
