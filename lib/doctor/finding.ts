// One thing that was looked at, and what came of it.
import type { Failure } from '../host/failure.ts'
import type { Code } from './codes.ts'

export type Status = 'ok' | 'warn' | 'fail' | 'skip'

export interface Finding {
  readonly code: Code
  readonly status: Status
  /** What was found, one line. */
  readonly what: string
  /** Why that matters; empty when all is well. */
  readonly why: string
  /** What to do about it; empty when there is nothing to do. */
  readonly fix: string
}

export function ok(code: Code, what: string): Finding {
  return { code, status: 'ok', what, why: '', fix: '' }
}

export function warn(code: Code, what: string, why: string, fix: string): Finding {
  return { code, status: 'warn', what, why, fix }
}

export function fail(code: Code, what: string, why: string, fix: string): Finding {
  return { code, status: 'fail', what, why, fix }
}

/** Not looked at, and `why` not. */
export function skip(code: Code, what: string, why: string): Finding {
  return { code, status: 'skip', what, why, fix: '' }
}

/** What the addon or the settings said: the first line of the cause and, of a verifier's log, the line that tells. */
export function failOf(code: Code, what: string, failure: Failure): Finding {
  return fail(code, what, `${failure.step} ${failure.subject}: ${telling(String(failure.cause))}`, failure.remedy)
}

const TRAILERS = /^(processed \d|libbpf: |-- (BEGIN|END))/

function telling(cause: string): string {
  const [first = '', ...log] = cause.split('\n')
  const last = log.filter(line => line !== '' && !TRAILERS.test(line)).at(-1)
  return last === undefined ? first : `${first}: ${last.trim()}`
}
