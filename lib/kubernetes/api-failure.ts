// An answer of the API server that is no success, or none at all.
import type { Readable } from 'node:stream'
import { fieldsOf, textOf } from './object-fields.ts'

/** One rule of a ClusterRole that would have to be there. */
export interface MissingRule {
  readonly apiGroup: string
  readonly resource: string
  readonly verb: string
}

export class ApiFailure extends Error {
  /** HTTP's; 0: there was no answer, or none that could be understood. */
  readonly status: number
  /** ms that the server asks us to wait. */
  readonly retryAfterMs: number | undefined
  readonly missingRule: MissingRule | undefined

  constructor(
    status: number,
    message: string,
    more: { retryAfterMs?: number | undefined; missingRule?: MissingRule } = {},
  ) {
    super(message)
    this.name = 'ApiFailure'
    this.status = status
    this.retryAfterMs = more.retryAfterMs
    this.missingRule = more.missingRule
  }
}

const STATUS_LIMIT_BYTES = 64 * 1024
const MESSAGE_LIMIT = 300

/** As a ClusterRole says it: can be pasted into one. */
export function ruleText({ apiGroup, resource, verb }: MissingRule): string {
  return `apiGroups: ["${apiGroup}"], resources: ["${resource}"], verbs: ["${verb}"]`
}

/** The message of a `Status` object, or what else is known. `value`: parsed JSON, or text that is none. */
export function statusMessage(value: unknown, status: number): string {
  const message = textOf(typeof value === 'string' ? value : fieldsOf(value).message, MESSAGE_LIMIT).trim()
  return message === '' ? `HTTP status ${status}` : message
}

export function asFailure(error: unknown): ApiFailure {
  if (error instanceof ApiFailure) return error
  const { code, message } = error as NodeJS.ErrnoException
  const text = textOf(message, MESSAGE_LIMIT)
  return new ApiFailure(0, code === undefined || text.includes(code) ? text : `${text} (${code})`)
}

/** The first part of a body as text; the rest is not waited for. */
export async function beginningOf(body: Readable): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    parts.push(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (bytes >= STATUS_LIMIT_BYTES) break
  }
  return Buffer.concat(parts).toString().slice(0, STATUS_LIMIT_BYTES)
}

export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
