// What is wrong in settings, each with its place, and the failure that carries all of it.
import { Failure } from '../host/failure.ts'

export type Path = readonly PropertyKey[]

/** Line and column are counted from 1; what comes from the command line has neither. */
export interface Place {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

interface Problem {
  readonly place: Place
  readonly path: string
  readonly what: string
}

export class WrongSettings extends Failure {
  /** One line each: `FILE:LINE:COLUMN: path: what is wrong; allowed: …`. */
  readonly problems: readonly string[]

  constructor(step: string, files: readonly string[], problems: readonly string[]) {
    const subject = files.join(', ')
    const remedy = `correct ${problems.length === 1 ? 'this place' : 'these places'} in ${subject}`
    super({ step, subject, cause: problems.join('\n'), remedy, exitCode: 2 })
    this.problems = problems
    this.message = [...problems, `${step} ${subject}: ${remedy}`].join('\n')
  }
}

export class Problems {
  readonly #found: Problem[] = []
  readonly #seen = new Set<string>()

  get length(): number {
    return this.#found.length
  }

  /** A second complaint about the same place is a consequence of the first and is dropped. */
  add(place: Place, path: Path, what: string, allowed?: string): void {
    const text = pathText(path)
    const key = `${placeText(place)}:${text}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.#found.push({ place, path: text, what: allowed === undefined ? what : `${what}; allowed: ${allowed}` })
  }

  line(place: Place, path: Path, what: string): string {
    return lineOf({ place, path: pathText(path), what })
  }

  /** Those of one file after the other, in the order in which they were read. */
  throwIfAny(step: string, files: readonly string[]): void {
    if (this.#found.length === 0) return
    const inOrder = this.#found.toSorted(
      ({ place: a }, { place: b }) =>
        files.indexOf(a.file) - files.indexOf(b.file) ||
        (a.line ?? 0) - (b.line ?? 0) ||
        (a.column ?? 0) - (b.column ?? 0),
    )
    const subjects = [...new Set(inOrder.map(({ place }) => place.file))]
    throw new WrongSettings(step, subjects, inOrder.map(lineOf))
  }
}

export function placeText({ file, line, column }: Place): string {
  return line === undefined ? file : `${file}:${line}:${column}`
}

export function pathText(path: Path): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key) : `.${String(key)}`
  }
  return text
}

function lineOf({ place, path, what }: Problem): string {
  return `${placeText(place)}:${path === '' ? '' : ` ${path}:`} ${what}`
}
