// What a test fetches from a package registry may be out of reach: then it is left out, in words.
import type { Context } from 'mocha'
import { Unavailable } from '../../deploy/debian-index.ts'
import { Failure } from '../../lib/host/failure.ts'
import { skip } from './skip.ts'

/** A registry that can't be asked, or a tool that is not installed; everything else that goes wrong is a failure. */
const OUT_OF_REACH = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|network request|is not installed/

export function unlessUnreachable<T>(context: Context, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof Unavailable) return skip(context, error.message)
    if (error instanceof Failure && OUT_OF_REACH.test(error.message)) return skip(context, error.message)
    throw error
  }
}
