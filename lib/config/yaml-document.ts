// Settings as YAML: one text, or several of which each adds to those before it. Mappings are merged, whatever else a later
// text says replaces what an earlier one said, as in the Collector.
import { type Path, type Place, Problems, pathText, placeText } from './problems.ts'
import type { ValueSources } from './substitution.ts'
import { type SubstitutedScalar, YamlSource, type YamlText } from './yaml-source.ts'

export class YamlDocument {
  readonly problems = new Problems()
  /** Plain data; undefined when a text is no YAML. */
  readonly value: unknown
  readonly #sources: readonly YamlSource[]
  readonly #noted = new Map<string, string>()

  constructor(texts: readonly YamlText[], values?: ValueSources) {
    this.#sources = texts.map(text => new YamlSource(text, this.problems, values))
    if (this.problems.length === 0) this.value = this.#sources.map(source => source.value).reduce(merged, undefined)
  }

  get isEmpty(): boolean {
    return this.#sources.every(source => source.isEmpty)
  }

  /** Where the value is; for what is missing, the nearest thing that holds it. */
  placeOf(path: Path): Place {
    for (let length = path.length; length >= 0; length--) {
      const place = this.#sourceOf(path.slice(0, length))?.placeOf(path.slice(0, length))
      if (place) return place
    }
    const last = this.#sources.at(-1)
    return last ? { file: last.name, line: 1, column: 1 } : { file: 'defaults' }
  }

  /** Where the key itself is. */
  placeOfKey(path: Path): Place {
    return this.#sourceOf(path)?.placeOfKey(path) ?? this.placeOf(path)
  }

  /** What was made of the value at the path, as text; undefined when it is in the settings as it stands. */
  substitutedText(path: Path): string | undefined {
    return this.substitutedAt(path)?.text
  }

  substitutedAt(path: Path): SubstitutedScalar | undefined {
    return this.#sourceOf(path)?.substitutedAt(path)
  }

  /** What is not set here comes from there: for `originOf`. */
  note(path: Path, origin: string): void {
    this.#noted.set(pathText(path), origin)
  }

  /** Where a value comes from: a place, what was noted, or nowhere. */
  originOf(path: Path): string | undefined {
    const source = this.#sourceOf(path)
    if (source?.has(path) !== 'value') return this.#noted.get(pathText(path))
    const place = placeText(source.placeOfKey(path) ?? source.placeOf(path) ?? { file: source.name })
    const substituted = source.substitutedAt(path)
    return [place, ...(substituted?.references ?? [])].join(', ')
  }

  /** Throws `WrongSettings` with all that was found so far. */
  throwIfWrong(step: string): void {
    this.problems.throwIfAny(
      step,
      this.#sources.map(source => source.name),
    )
  }

  /** Whose word counts: the last one that says something. */
  #sourceOf(path: Path): YamlSource | undefined {
    return (
      this.#sources.findLast(source => source.has(path) === 'value') ??
      this.#sources.findLast(source => source.has(path) === 'key')
    )
  }
}

function merged(before: unknown, after: unknown): unknown {
  if (after === undefined || after === null) return before
  if (!isMapping(before) || !isMapping(after)) return after
  const result = { ...before }
  for (const [key, value] of Object.entries(after)) {
    const both = Object.hasOwn(before, key) ? merged(before[key], value) : value
    Object.defineProperty(result, key, { value: both, enumerable: true, writable: true, configurable: true })
  }
  return result
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
