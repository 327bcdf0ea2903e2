// What is wrong in a settings file, each with its place, and the failure that carries all of it.
import { Failure } from '../host/failure.ts'

export type Path = readonly PropertyKey[]

/** Counted from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

interface Problem extends Place {
  readonly path: string
  readonly what: string
}

export class WrongSettings extends Failure {
  /** One line each: `FILE:LINE:COLUMN: path: what is wrong; allowed: …`. */
  readonly problems: readonly string[]

  constructor(step: string, file: string, problems: readonly string[]) {
    const remedy = `correct ${problems.length === 1 ? 'this place' : 'these places'} in ${file}`
    super({ step, subject: file, cause: problems.join('\n'), remedy, exitCode: 2 })
    this.problems = problems
    this.message = [...problems, `${step} ${file}: ${remedy}`].join('\n')
  }
}

export class Problems {
  readonly #file: string
  readonly #found: Problem[] = []
  readonly #seen = new Set<string>()

  constructor(file: string) {
    this.#file = file
  }

  get length(): number {
    return this.#found.length
  }

  /** A second complaint about the same place is a consequence of the first and is dropped. */
  add(place: Place, path: Path, what: string, allowed?: string): void {
    const text = pathText(path)
    const key = `${place.line}:${place.column}:${text}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.#found.push({ ...place, path: text, what: allowed === undefined ? what : `${what}; allowed: ${allowed}` })
  }

  line(place: Place, path: Path, what: string): string {
    return lineOf(this.#file, { ...place, path: pathText(path), what })
  }

  throwIfAny(step: string): void {
    if (this.#found.length === 0) return
    const inOrder = this.#found.toSorted((a, b) => a.line - b.line || a.column - b.column)
    throw new WrongSettings(
      step,
      this.#file,
      inOrder.map(each => lineOf(this.#file, each)),
    )
  }
}

function lineOf(file: string, problem: Problem): string {
  const path = problem.path === '' ? '' : ` ${problem.path}:`
  return `${file}:${problem.line}:${problem.column}:${path} ${problem.what}`
}

function pathText(path: Path): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key) : `.${String(key)}`
  }
  return text
}
