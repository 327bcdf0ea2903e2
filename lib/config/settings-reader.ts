// The other end of settings-process.ts: reads what the standard input names, prints what came of it as JSON, and ends.
import { text } from 'node:stream/consumers'
import { Failure } from '../host/failure.ts'
import { loadConfig } from './config.ts'
import { loadInventory } from './inventory.ts'

const [kind] = process.argv.slice(2)
const what = JSON.parse(await text(process.stdin))

try {
  const value = kind === 'inventory' ? loadInventory(what) : loadConfig(what).config
  process.stdout.write(JSON.stringify({ value }))
} catch (error) {
  if (!(error instanceof Failure)) throw error
  const { step, subject, cause, remedy, exitCode, message } = error
  process.stdout.write(JSON.stringify({ failure: { step, subject, cause, remedy, exitCode }, message }))
}
