// A settings file as YAML: its value with the environment put in, and the place of everything in it.
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
} from 'yaml'
import { type Path, type Place, Problems } from './problems.ts'
import { type Environment, substitute } from './substitution.ts'

/** An alias repeats what it names: enough for a settings file, too few to blow one up. */
const aliasLimit = 1000

export class YamlDocument {
  readonly problems: Problems
  /** Plain data. A mapping's key without a value is `undefined`, so that it counts as not set. */
  readonly value: unknown
  readonly #lines = new LineCounter()
  readonly #document: Document
  readonly #environment: Environment | undefined
  /** The text that a scalar became, before it was typed. */
  readonly #substituted = new Map<Node, string>()
  #aliases = 0

  constructor(text: string, file: string, environment?: Environment) {
    this.problems = new Problems(file)
    this.#environment = environment
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
    this.#reportSyntax(text)
    if (this.problems.length > 0) return
    this.value = this.#plain(this.#document.contents as Node | null, [], new Set())
  }

  get isEmpty(): boolean {
    return this.value === undefined || this.value === null
  }

  /** Where the value is; for what is missing, the nearest thing that holds it. */
  placeOf(path: Path): Place {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#nodeAt(path.slice(0, length))
      if (node?.range) return this.#placeAt(node.range[0])
    }
    return { line: 1, column: 1 }
  }

  /** Where the key itself is. */
  placeOfKey(path: Path): Place {
    const parent = this.#nodeAt(path.slice(0, -1))
    const key = isMap(parent) ? pairOf(parent, path.at(-1)!)?.key : undefined
    return isScalar(key) && key.range ? this.#placeAt(key.range[0]) : this.placeOf(path)
  }

  /** What the environment made of the value at the path, as text; undefined when it comes from the file alone. */
  substitutedText(path: Path): string | undefined {
    const node = this.#nodeAt(path)
    return node && this.#substituted.get(node)
  }

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }

  #nodeAt(path: Path): Node | undefined {
    let node = this.#document.contents as Node | null | undefined
    for (const key of path) {
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
      let what = each.message
      if (each.code === 'DUPLICATE_KEY') what = `duplicate key '${/[^:\s]*/.exec(text.slice(start))?.[0]}'`
      if (text.startsWith('${', start - 1)) what = `'\${…}' inside { } or [ ] must be in quotes`
      this.problems.add(this.#placeAt(start), [], what)
    }
  }

  #scalar(node: Scalar, path: Path): unknown {
    const source = node.value
    if (!this.#environment || typeof source !== 'string' || !source.includes('$')) return source
    const result = substitute(source, this.#environment)
    if ('what' in result) {
      this.problems.add(this.#placeAt(node.range?.[0] ?? 0), path, result.what, result.allowed)
      return source
    }
    if (result.text === source) return source
    this.#substituted.set(node, result.text)
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
        this.problems.add(
          this.#placeAt((key as Node | null)?.range?.[0] ?? map.range?.[0] ?? 0),
          path,
          'a key must be text',
        )
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
    this.problems.add(
      this.#placeAt(alias.range?.[0] ?? 0),
      path,
      `'*${alias.source}' ${reasonAgainst(target, holders)}`,
    )
    return null
  }
}

function reasonAgainst(target: Node | undefined, holders: Set<Node>): string {
  if (!target) return 'names no anchor'
  return holders.has(target) ? 'names what holds it' : 'is one alias too many'
}

function pairOf(map: YAMLMap, key: PropertyKey) {
  return map.items.find(pair => isScalar(pair.key) && String(pair.key.value) === String(key))
}
