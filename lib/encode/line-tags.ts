// Attributes as tags of lines: made once for each set. A key is on a line once: what a point says of itself wins over its
// resource.
import type { AttributeSet, SignalResource } from '../signals/attribute-set.ts'
import { kept } from './kept-forms.ts'
import { tagText } from './line-protocol.ts'

interface ResourceTags {
  readonly set: AttributeSet
  /** Its text without the keys that are named, which line breaks separate. */
  readonly without: Map<string, string>
}

interface SetTags {
  readonly text: string
  /** The resource that was met last, and which of its keys are here too. */
  resource?: ResourceTags
  clashes: string
}

export class LineTags {
  #resource: ResourceTags | undefined

  resource({ set }: SignalResource): void {
    const found = set.encoded[kept.lineResource] as ResourceTags | undefined
    this.#resource = found ?? { set, without: new Map() }
    set.encoded[kept.lineResource] = this.#resource
  }

  /** Each with a comma before it. */
  of(base: AttributeSet, more: AttributeSet | undefined): string {
    const resource = this.#resource!
    const own = tagsOf(base, resource)
    if (!more) return textWithout(resource, own.clashes) + own.text
    const beside = tagsOf(more, resource)
    const clashes = beside.clashes === '' ? own.clashes : `${own.clashes}\n${beside.clashes}`
    return textWithout(resource, clashes) + own.text + beside.text
  }
}

function tagsOf(set: AttributeSet, resource: ResourceTags): SetTags {
  const found = set.encoded[kept.lineTags] as SetTags | undefined
  const tags = found ?? { text: textOf(set), clashes: '' }
  if (tags.resource === resource) return tags
  set.encoded[kept.lineTags] = tags
  tags.resource = resource
  tags.clashes = Object.keys(resource.set.attributes)
    .filter(key => Object.hasOwn(set.attributes, key))
    .join('\n')
  return tags
}

function textWithout(resource: ResourceTags, clashes: string): string {
  const known = resource.without.get(clashes)
  if (known !== undefined) return known
  const text = textOf(resource.set, new Set(clashes.split('\n')))
  resource.without.set(clashes, text)
  return text
}

function textOf({ attributes }: AttributeSet, without: ReadonlySet<string> = new Set()): string {
  return Object.entries(attributes)
    .filter(([key]) => !without.has(key))
    .map(([key, value]) => tag(key, String(value)))
    .join('')
}

/** With a comma before it; nothing, where the protocol has no way to write it. */
export function tag(key: string, value: string): string {
  const [keyText, valueText] = [tagText(key), tagText(value)]
  return keyText === '' || valueText === '' ? '' : `,${keyText}=${valueText}`
}
