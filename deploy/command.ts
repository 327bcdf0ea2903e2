// Runs one command of a build to its end, without a shell.
import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { Failure } from '../lib/host/failure.ts'

const LAST_LINES = 12

/** What it wrote to stdout, without the last line's end. */
export function command(program: string, parameters: readonly string[], options: SpawnSyncOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync(program, parameters, {
    ...{ encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'pipe'] },
    ...options,
  })
  if (status === 0) return String(stdout ?? '').trimEnd()
  const said = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-LAST_LINES).join('\n')
  throw new Failure({
    step: 'run',
    subject: [program, ...parameters].join(' '),
    cause: error?.message ?? said,
    remedy: 'CONTRIBUTING.md, under What is shipped, says what building takes',
  })
}
