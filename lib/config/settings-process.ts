// Reads settings in a process of its own that ends: parser and schema library weigh 20 MB and are needed for a moment.
import { execFile } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Failure, type FailureParts } from '../host/failure.ts'
import type { Config } from './config.ts'
import type { Inventory } from './inventory.ts'
import { type SettingsSources, sourcesText } from './settings-sources.ts'

/** Beside this file, compiled or not. */
const READER = fileURLToPath(new URL(`./settings-reader${extname(import.meta.url)}`, import.meta.url))
const ANSWER_LIMIT_BYTES = 256 * 1024 * 1024

interface Answer<T> {
  readonly value?: T
  readonly failure?: FailureParts
  readonly message?: string
}

/** As `loadConfig`. */
export function loadConfigApart(sources: SettingsSources): Promise<Config> {
  return ask('config', sourcesText(sources), sources)
}

/** As `loadInventory`. */
export function loadInventoryApart(file: string): Promise<Inventory> {
  return ask('inventory', file, file)
}

/** `what` goes by the standard input: others can read a process's arguments, and it may hold secrets. */
async function ask<T>(kind: string, subject: string, what: unknown): Promise<T> {
  const args = [...process.execArgv, READER, kind]
  let stdout: string
  try {
    const reading = promisify(execFile)(process.execPath, args, { maxBuffer: ANSWER_LIMIT_BYTES })
    reading.child.stdin?.end(JSON.stringify(what))
    ;({ stdout } = await reading)
  } catch (error) {
    const cause = (error as { stderr?: string }).stderr?.trim() || (error as Error).message
    throw new Failure({
      step: `read ${kind}`,
      subject,
      cause,
      remedy: 'a mistake of ours: report it',
    })
  }
  const { value, failure, message } = JSON.parse(stdout) as Answer<T>
  if (!failure) return value!
  const told = new Failure(failure)
  // Of several mistakes each has its line; see WrongSettings.
  told.message = message!
  throw told
}
