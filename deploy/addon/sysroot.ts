// The C library and C++ library that a prebuilt addon is linked against: Debian 11's, so that it runs on everything newer.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { command } from '../command.ts'
import { DebianIndex } from '../debian-index.ts'
import type { Target } from './target.ts'

/** Names and how their versions begin. The kernel's headers are Debian 12's: the addon speaks of what newer kernels have. */
const PACKAGES: readonly (readonly [name: string, upstream: string])[] = [
  ['libc6', '2.31-'],
  ['libc6-dev', '2.31-'],
  ['libgcc-s1', '10.'],
  ['libatomic1', '10.'],
  ['libgcc-10-dev', '10.'],
  ['libstdc++6', '10.'],
  ['libstdc++-10-dev', '10.'],
  ['linux-libc-dev', '6.1.'],
]

/** Its folder, in the cache. Downloads what is not there yet; throws `Unavailable` where it can't. */
export function sysrootFor({ debian }: Target, cache: string): string {
  const folder = join(cache, `sysroot-${debian}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(cache, 'fetch-'))
  try {
    // Without security updates: nothing of a sysroot runs, but for a few lines of start-up code.
    const index = new DebianIndex(scratch, { suites: ['bullseye', 'bookworm'], architectures: [debian] })
    const root = join(scratch, 'root')
    const packages = PACKAGES.map(([name, upstream]) => index.newest(name, upstream))
    for (const archive of index.download(packages)) command('dpkg-deb', ['-x', archive, root])
    // As long as it has its final place: the links lead there.
    pointInside(root, folder)
    renameSync(root, folder)
    return folder
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Absolute links would lead to this machine's own libraries. */
function pointInside(root: string, folder: string): void {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const target = readlinkSync(path)
    if (!target.startsWith('/')) continue
    rmSync(path)
    symlinkSync(folder + target, path)
  }
}
