// The verb `version`.
import { release } from 'node:os'
import { podweirVersion } from '../host/version.ts'

export async function run(): Promise<number> {
  process.stdout.write(
    `podweir ${podweirVersion()} (node ${process.versions.node}, linux ${release()} ${process.arch})\n`,
  )
  return 0
}
