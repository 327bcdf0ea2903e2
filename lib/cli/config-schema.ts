// `podweir config schema`: the shape of a settings file, for editors.
import { readFileSync } from 'node:fs'
import { settingsSchema } from '../config/json-schema.ts'

const EXAMPLE = new URL('../../otel-config/agent.yaml', import.meta.url)

export async function run(): Promise<number> {
  process.stdout.write(`${JSON.stringify(settingsSchema(readFileSync(EXAMPLE, 'utf8')), undefined, 2)}\n`)
  return 0
}
