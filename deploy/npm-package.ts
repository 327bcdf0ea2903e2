// A package of the npm registry in exactly one version, unpacked in the cache.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '../lib/host/failure.ts'
import { command } from './command.ts'

const cache = join(homedir(), '.cache/podweir/npm')

export interface PinnedPackage {
  readonly name: string
  readonly version: string
  /** As a lock file has it: `sha512-…`. */
  readonly integrity: string
}

/** Its folder. */
export function npmPackage({ name, version, integrity }: PinnedPackage): string {
  const folder = join(cache, `${name.replace('/', '+')}-${version}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(cache, 'fetch-'))
  try {
    const packing = ['pack', `${name}@${version}`, '--pack-destination', scratch, '--ignore-scripts', '--silent']
    const archive = join(scratch, npm(packing))
    verify({ name, version, integrity }, archive)
    command('tar', ['-xzf', archive, '-C', scratch, '--no-same-owner'])
    renameSync(join(scratch, 'package'), folder)
    return folder
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** On the system's own Node, which it belongs to: it does not start on every other. */
export function npm(parameters: readonly string[], cwd?: string): string {
  const PATH = (process.env.PATH ?? '').split(':').filter(part => !part.includes('node_modules'))
  const env = { ...process.env, PATH: PATH.join(':') }
  return command('npm', parameters, { env, ...(cwd !== undefined && { cwd }) })
}

/** As package-lock.json of this tree pins it. */
export function lockedPackage(name: string): PinnedPackage {
  const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'))
  const { version, integrity } = lock.packages[`node_modules/${name}`]
  return { name, version, integrity }
}

function verify({ name, version, integrity }: PinnedPackage, archive: string): void {
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (found === integrity) return
  const cause = `the registry has ${found} and not ${integrity}`
  const remedy = 'find out why before you use it: a published version never changes'
  throw new Failure({ step: 'fetch', subject: `${name}@${version}`, cause, remedy })
}
