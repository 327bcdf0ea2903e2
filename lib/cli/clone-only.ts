// Verbs that need what is built in a clone of the repository, and is neither in the package nor in the image.
import { existsSync } from 'node:fs'
import { Failure } from '../host/failure.ts'

/** `folder`: one of the clone's, without which the verb can't work. */
export function requireClone(verb: string, folder: string): void {
  if (existsSync(new URL(`../../${folder}`, import.meta.url))) return
  const cause = 'it takes programs that are built in a clone of the repository, and are no part of what is shipped'
  throw new Failure({ step: 'start', subject: `podweir ${verb}`, cause, remedy: `run ./podweir ${verb} in a clone` })
}
