// `${env:NAME}` and `${file:PATH}` in one scalar: which text it becomes, or why it can't.

export type Environment = Readonly<Record<string, string | undefined>>

/** Where values come from that are not in the settings themselves. */
export interface ValueSources {
  readonly environment: Environment
  /** Throws what says why it can't be read. */
  readonly fileText: (path: string) => string
}

export type Substituted =
  | { readonly text: string; readonly references: readonly string[] }
  | { readonly what: string; readonly allowed: string }

const allowed = `\${env:NAME}, \${env:NAME:-DEFAULT}, \${file:PATH}, or $$ for a dollar sign`
const reference = /\$\$|\$\{([^}]*)\}|\$\{/g
const name = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/

/** `isSecret`: nothing of the source is to be in a message. `${NAME}` means `${env:NAME}`, as in the Collector. What comes in is not looked at again. */
export function substitute(source: string, sources: ValueSources, isSecret = false): Substituted {
  let problem: string | undefined
  const references: string[] = []
  const text = source.replace(reference, (found, inside: string | undefined) => {
    if (found === '$$') return '$'
    const path = inside === undefined ? undefined : /^file:(.+)$/s.exec(inside)?.[1]
    const value =
      path === undefined
        ? fromEnvironment(isSecret ? 'this' : `'${found}'`, inside, sources.environment)
        : readValue(path, sources)
    references.push(path === undefined ? `env:${name.exec(inside ?? '')?.[1]}` : `file:${path}`)
    if (typeof value === 'string') return value
    problem ??= value.what
    return found
  })
  return problem === undefined ? { text, references } : { what: problem, allowed }
}

/** A variable that is set to nothing takes the default, as in a shell. */
function fromEnvironment(
  what: string,
  inside: string | undefined,
  environment: Environment,
): string | { readonly what: string } {
  const match = inside === undefined ? null : name.exec(inside)
  if (!match) return { what: inside === undefined ? `'\${' without its '}'` : `${what} is no variable` }
  const value = environment[match[1]!]
  if (value === undefined && match[2] === undefined) return { what: `environment variable ${match[1]} is not set` }
  return (match[2] === undefined ? value : value || match[2]) ?? ''
}

/** Without the line break that editors put at a file's end. */
function readValue(path: string, { fileText }: ValueSources): string | { readonly what: string } {
  try {
    return fileText(path).replace(/\r?\n$/, '')
  } catch (error) {
    return { what: `${path} can't be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})` }
  }
}
