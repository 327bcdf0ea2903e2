// Keeps values of headers out of messages: receivers quote what they were sent.

/** Shorter ones are words that any message may have. */
const SHORTEST = 6

export class HiddenValues {
  readonly #values: readonly string[]

  constructor(headers: Readonly<Record<string, string>>, endpoint: string) {
    // `Bearer abc`: the second word is the secret, whatever stands before it.
    const words = Object.values(headers).flatMap(value => [value, ...value.split(/[\s,;=]+/)])
    const values = [...words, ...userinfoOf(endpoint)].filter(value => value.length >= SHORTEST)
    // The longest first, or a part would leave the rest of it readable.
    this.#values = [...new Set(values)].sort((a, b) => b.length - a.length)
  }

  hide(text: string): string {
    return this.#values.reduce((safe, value) => safe.replaceAll(value, '[REDACTED]'), text)
  }
}

function userinfoOf(endpoint: string): string[] {
  const userinfo = /\/\/([^/?#]*)@/.exec(endpoint)?.[1]
  if (userinfo === undefined) return []
  return [userinfo, ...userinfo.split(':')].flatMap(part => [part, decoded(part)])
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
