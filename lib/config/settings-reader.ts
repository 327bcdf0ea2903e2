// The other end of settings-process.ts: reads one file, prints what came of it as JSON, and ends.
import { Failure } from '../host/failure.ts'
import { loadConfig } from './config.ts'
import { loadInventory } from './inventory.ts'

const [kind, file] = process.argv.slice(2)

try {
  const value = kind === 'inventory' ? loadInventory(file!) : loadConfig(file)
  process.stdout.write(JSON.stringify({ value }))
} catch (error) {
  if (!(error instanceof Failure)) throw error
  const { step, subject, cause, remedy, exitCode, message } = error
  process.stdout.write(JSON.stringify({ failure: { step, subject, cause, remedy, exitCode }, message }))
}
