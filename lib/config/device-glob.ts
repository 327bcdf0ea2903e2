// Patterns for names of network devices: `*`, `?`, `[a-z]`, `[!a-z]`.

/** IFNAMSIZ less the final 0. */
const longestName = 15

export const deviceGlobForm = 'a device name of at most 15 characters, with * ? [a-z] [!a-z]'

/** undefined when the pattern is malformed or longer than any device name. */
export function deviceGlob(pattern: string): RegExp | undefined {
  let expression = ''
  let leastLength = 0
  // The kernel refuses '/', ':' and white space in names (dev_valid_name).
  for (const [part, set] of pattern.matchAll(/\[([^\]]*)\]|[\s\S]/g)) {
    if (/^[\s/:\]]$/.test(part) || part === '[') return undefined
    if (part === '*') {
      expression += '.*'
      continue
    }
    const one = set === undefined ? oneOf(part) : characterSet(set)
    if (one === undefined) return undefined
    expression += one
    leastLength++
  }
  if (pattern === '' || leastLength > longestName || pattern === '.' || pattern === '..') return undefined
  return new RegExp(`^${expression.replace(/(\.\*)+/g, '.*')}$`)
}

export function isPattern(name: string): boolean {
  return /[*?[]/.test(name)
}

function oneOf(part: string): string {
  return part === '?' ? '.' : part.replace(/[\\^$.|+(){}]/g, '\\$&')
}

function characterSet(set: string): string | undefined {
  const negated = set.startsWith('!')
  const members = negated ? set.slice(1) : set
  if (members === '' || /[\s/:[]/.test(members)) return undefined
  const expression = `[${negated ? '^' : ''}${members.replace(/[\\^]/g, '\\$&').replace(/^-|-$/g, '\\-')}]`
  try {
    new RegExp(expression)
  } catch {
    // `[z-a]`
    return undefined
  }
  return expression
}
