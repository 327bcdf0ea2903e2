// What must never be shown: in messages, in `config print`, in logs.
import type { Path } from './problems.ts'

export const redacted = '[REDACTED]'

/** Keys whose values are secrets, and everything below them. */
const secretKeys = new Set<PropertyKey>(['headers', 'token', 'bearer_token', 'password'])

export function isSecret(path: Path): boolean {
  return path.some(key => secretKeys.has(key))
}

/** An endpoint may hold `http://user:secret@host` or `?key=secret`, as some receivers want it. */
export function shownEndpoint(endpoint: string): string {
  return endpoint.replace(/\/\/[^/?#]*@/, `//${redacted}@`).replace(/(:\/\/[^?]*)\?.*/, `$1?${redacted}`)
}

export function redactedValues(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(record).map(name => [name, redacted]))
}
