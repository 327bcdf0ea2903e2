// `${env:NAME}` in one scalar: which text it becomes, or why it can't.

export type Environment = Readonly<Record<string, string | undefined>>

export type Substituted = { readonly text: string } | { readonly what: string; readonly allowed: string }

const allowed = `\${env:NAME}, \${env:NAME:-DEFAULT}, or $$ for a dollar sign`
const reference = /\$\$|\$\{([^}]*)\}|\$\{/g
const name = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/

/** `${NAME}` means `${env:NAME}`, as in the Collector. A variable that is set to nothing takes the default, as in a shell. */
export function substitute(source: string, environment: Environment): Substituted {
  let problem: string | undefined
  const text = source.replace(reference, (found, inside: string | undefined) => {
    if (found === '$$') return '$'
    const match = inside === undefined ? null : name.exec(inside)
    if (!match) {
      problem ??= inside === undefined ? `'\${' without its '}'` : `'${found}' is no variable`
      return found
    }
    const value = environment[match[1]!]
    if (value === undefined && match[2] === undefined) {
      problem ??= `environment variable ${match[1]} is not set`
    }
    return (match[2] === undefined ? value : value || match[2]) ?? ''
  })
  return problem === undefined ? { text } : { what: problem, allowed }
}
