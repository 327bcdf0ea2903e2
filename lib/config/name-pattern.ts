// Patterns for names of Kubernetes objects: `*` stands for any characters, `?` for one.

/** The pattern as an expression; undefined when no name could be like it. */
export function namePattern(pattern: string): RegExp | undefined {
  if (!/^[\w.*?-]+$/.test(pattern)) return undefined
  const expression = pattern.replaceAll('.', '\\.').replaceAll('?', '.').replace(/\*+/g, '.*')
  return new RegExp(`^${expression}$`)
}
