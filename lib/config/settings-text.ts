// Settings as YAML for people: what was read from a file of its own stays a reference, and each value can say where it is from.
import { Document, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml'
import type { Path } from './problems.ts'
import { redacted } from './secret.ts'
import type { YamlDocument } from './yaml-document.ts'

/** `origins`: behind each value a comment with its place in `document`, the variable that decided, or `default`. */
export function settingsText(settings: object, document: YamlDocument, origins: boolean): string {
  const text = new Document(settings, { aliasDuplicateObjects: false })
  write(text.contents as Node, [], document, origins)
  return text.toString({ lineWidth: 0 })
}

function write(node: Node, path: Path, document: YamlDocument, origins: boolean): void {
  if (isMap(node) && node.items.length > 0) {
    for (const { key, value } of (node as YAMLMap<Node, Node>).items)
      if (value) write(value, [...path, isScalar(key) ? String(key.value) : ''], document, origins)
    return
  }
  if (isSeq(node)) for (const [i, item] of node.items.entries()) write(item as Node, [...path, i], document, false)
  if (isScalar(node) && typeof node.value === 'string') node.value = written(node.value, path, document)
  if (!origins) return
  // A list has one origin as a whole.
  if (isSeq(node) || isMap(node)) node.flow = true
  node.comment = ` ${document.originOf(path) ?? 'default'}`
}

function written(value: string, path: Path, document: YamlDocument): string {
  const substituted = document.substitutedAt(path)
  const isFromFile = substituted?.references.some(reference => reference.startsWith('file:'))
  // Of what is a secret in parts, the rest of the reference may be one, too.
  return isFromFile && !value.includes(redacted) ? substituted!.source : value.replaceAll('$', '$$$$')
}
