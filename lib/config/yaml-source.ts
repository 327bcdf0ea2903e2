// One text of YAML: its value with what is substituted in it, and the place of everything in it.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLParseError,
  type YAMLWarning,
} from 'yaml'
import type { Path, Place, Problems } from './problems.ts'
import { isSecret } from './secret.ts'
import { substitute, type ValueSources } from './substitution.ts'

export interface YamlText {
  /** A file's path, or what else names it to its author. */
  readonly name: string
  readonly text: string
  /** Where in the settings it belongs, when it is a value of the command line. */
  readonly under?: readonly string[]
}

/** What a scalar became, before it was typed. */
export interface SubstitutedScalar {
  /** As its author wrote it. */
  readonly source: string
  readonly text: string
  /** `env:NAME` or `file:PATH` each. */
  readonly references: readonly string[]
}

/** An alias repeats what it names: enough for a settings file, too few to blow one up. */
const aliasLimit = 1000

export class YamlSource {
  readonly name: string
  /** Plain data. A mapping's key without a value is `undefined`, so that it counts as not set. */
  readonly value: unknown
  readonly #under: readonly string[] | undefined
  readonly #problems: Problems
  readonly #lines = new LineCounter()
  readonly #document: Document
  readonly #values: ValueSources | undefined
  readonly #substituted = new Map<Node, SubstitutedScalar>()
  #aliases = 0

  constructor({ name, text, under }: YamlText, problems: Problems, values: ValueSources | undefined) {
    this.name = name
    this.#under = under
    this.#problems = problems
    this.#values = values
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
    const before = problems.length
    this.#reportSyntax(text)
    if (problems.length > before) return
    const value = this.#plain(this.#document.contents as Node | null, under ?? [], new Set())
    this.value = (under ?? []).reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  }

  get isEmpty(): boolean {
    return this.value === undefined || this.value === null
  }

  /** Whether it has a value there, or only the key of one. */
  has(path: Path): 'value' | 'key' | undefined {
    if (this.#under && path.length < this.#under.length) return undefined
    const node = this.#nodeAt(path)
    if (!node) return undefined
    return isScalar(node) && node.value === null ? 'key' : 'value'
  }

  placeOf(path: Path): Place | undefined {
    const node = this.#nodeAt(path)
    return node?.range ? this.#placeAt(node.range[0]) : undefined
  }

  placeOfKey(path: Path): Place | undefined {
    if (this.#under && path.length <= this.#under.length) return this.placeOf(path)
    const parent = this.#nodeAt(path.slice(0, -1))
    const key = isMap(parent) ? pairOf(parent, path.at(-1)!)?.key : undefined
    return isScalar(key) && key.range ? this.#placeAt(key.range[0]) : undefined
  }

  /** undefined when nothing was substituted there. */
  substitutedAt(path: Path): SubstitutedScalar | undefined {
    const node = this.#nodeAt(path)
    return node && this.#substituted.get(node)
  }

  #placeAt(offset: number): Place {
    if (this.#under) return { file: this.name }
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.name, line: Math.max(1, line), column: Math.max(1, col) }
  }

  #nodeAt(path: Path): Node | undefined {
    const under = this.#under ?? []
    if (path.length < under.length || under.some((key, i) => String(path[i]) !== key)) return undefined
    let node = this.#document.contents as Node | null | undefined
    for (const key of path.slice(under.length)) {
      const holder: Node | null | undefined = isAlias(node) ? node.resolve(this.#document) : node
      if (isMap(holder)) node = pairOf(holder, key)?.value as Node | null | undefined
      else if (isSeq(holder)) node = holder.items[Number(key)] as Node | undefined
      else return undefined
    }
    return node ?? undefined
  }

  #reportSyntax(text: string): void {
    const { errors, warnings } = this.#document
    for (const [i, each] of [...errors, ...warnings].entries()) {
      // After a fault every further token is unexpected: only the first says something.
      if (i > 0 && each.code === 'UNEXPECTED_TOKEN') continue
      const start = each.pos[0]
      let what = withoutContent(each)
      // Behind a fault what looks like a key may be anything.
      if (each.code === 'DUPLICATE_KEY' && i === 0) what = `duplicate key '${/[^:\s]*/.exec(text.slice(start))?.[0]}'`
      if (text.startsWith('${', start - 1)) what = `'\${…}' inside { } or [ ] must be in quotes`
      this.#problems.add(this.#placeAt(start), this.#under ?? [], what)
    }
  }

  #scalar(node: Scalar, path: Path): unknown {
    const source = node.value
    if (!this.#values || typeof source !== 'string' || !source.includes('$')) return source
    const result = substitute(source, this.#values, isSecret(path))
    if ('what' in result) {
      this.#problems.add(this.#placeAt(node.range?.[0] ?? 0), path, result.what, result.allowed)
      return source
    }
    if (result.text === source) return source
    this.#substituted.set(node, { source, ...result })
    // Quotes don't make it text: inside { } they are needed for the braces.
    return this.#typed(result.text)
  }

  /** What YAML would have made of the text, had it been in the file without quotes. */
  #typed(text: string): unknown {
    for (const tag of this.#document.schema.tags) {
      if (tag.collection || tag.default !== true || !tag.test?.test(text)) continue
      const value = tag.resolve(text, () => {}, this.#document.options)
      return isScalar(value) ? value.value : value
    }
    return text
  }

  #plain(node: Node | null, path: Path, holders: Set<Node>): unknown {
    if (isAlias(node)) return this.#plain(this.#resolved(node, path, holders), path, holders)
    if (isScalar(node)) return this.#scalar(node, path)
    if (!isMap(node) && !isSeq(node)) return undefined
    holders.add(node)
    const value = isMap(node)
      ? this.#plainMap(node, path, holders)
      : node.items.map((each, i) => this.#plain(each as Node | null, [...path, i], holders))
    holders.delete(node)
    return value
  }

  #plainMap(map: YAMLMap, path: Path, holders: Set<Node>): object {
    const value = {}
    for (const pair of map.items) {
      const key = pair.key
      if (!isScalar(key) || key.value === null) {
        const place = this.#placeAt((key as Node | null)?.range?.[0] ?? map.range?.[0] ?? 0)
        this.#problems.add(place, path, 'a key must be text')
        continue
      }
      const name = String(key.value)
      const plain = this.#plain(pair.value as Node | null, [...path, name], holders) ?? undefined
      Object.defineProperty(value, name, { value: plain, enumerable: true, writable: true, configurable: true })
    }
    return value
  }

  #resolved(alias: Alias, path: Path, holders: Set<Node>): Node | null {
    const target = alias.resolve(this.#document) as Node | undefined
    if (target && !holders.has(target) && ++this.#aliases <= aliasLimit) return target
    // A token that begins with * and has no quotes looks like one.
    const what = `${isSecret(path) ? 'this alias' : `'*${alias.source}'`} ${reasonAgainst(target, holders)}`
    this.#problems.add(this.#placeAt(alias.range?.[0] ?? 0), path, what)
    return null
  }
}

/** The parser quotes what it did not expect, behind a colon or at the end: that may be a secret without its quotes. */
function withoutContent({ code, message }: YAMLParseError | YAMLWarning): string {
  if (code === 'TAG_RESOLVE_FAILED') return 'text that begins with ! needs quotes'
  if (code === 'BAD_DIRECTIVE') return 'text that begins with % needs quotes'
  return message.replace(/: [\s\S]*$|(?<=^Invalid escape sequence) [\s\S]*$/, '')
}

function reasonAgainst(target: Node | undefined, holders: Set<Node>): string {
  if (!target) return 'names no anchor'
  return holders.has(target) ? 'names what holds it' : 'is one alias too many'
}

function pairOf(map: YAMLMap, key: PropertyKey) {
  return map.items.find(pair => isScalar(pair.key) && String(pair.key.value) === String(key))
}
