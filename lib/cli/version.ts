// The verb `version`.
import { readFileSync } from 'node:fs'
import { release } from 'node:os'

export async function run(): Promise<number> {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  process.stdout.write(
    `podweir ${manifest.version} (node ${process.versions.node}, linux ${release()} ${process.arch})\n`,
  )
  return 0
}
