// What is wrong with a settings file.
import assert from 'node:assert/strict'
import { parseConfig } from '../../lib/config/config.ts'
import { NOT_YET } from '../../lib/config/not-yet.ts'
import { WrongSettings } from '../../lib/config/problems.ts'

/** One line each, of a file `a.yaml`. */
export function problemsOf(text: string, notYet = NOT_YET, environment = {}): readonly string[] {
  try {
    parseConfig(text, 'a.yaml', environment, notYet)
  } catch (error) {
    assert.ok(error instanceof WrongSettings, String(error))
    return error.problems
  }
  return []
}
