// What an image has of Debian 12: packages by name and version, unpacked, for whoever picks files out of them.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from '../addon/target.ts'
import { command } from '../command.ts'
import { DebianIndex } from '../debian-index.ts'

export interface DebianPackage {
  readonly name: string
  readonly version: string
  readonly sha256: string
  /** The paragraph of the package itself, for who scans images. */
  readonly control: string
}

/** gcc-12-base has nothing but the licence of three of them. */
const LIBRARIES = ['libc6', 'gcc-12-base', 'libstdc++6', 'libgcc-s1', 'libatomic1']
/** One for every processor, which its index has only as the first architecture's own. */
const INDEPENDENT = ['ca-certificates']

/** The newest of the release and its security updates, verified by apt. */
export function unpackPackages({ debian }: Target, folder: string): { unpacked: string; packages: DebianPackage[] } {
  const index = join(folder, 'index')
  const unpacked = join(folder, 'unpacked')
  for (const path of [index, unpacked]) mkdirSync(path, { recursive: true })
  const debianIndex = new DebianIndex(index, { suites: ['bookworm', 'bookworm-security'], architectures: [debian] })
  const chosen = [...LIBRARIES, ...INDEPENDENT].map(name => debianIndex.newest(name))
  const packages = debianIndex.download(chosen).map((archive, i) => {
    command('dpkg-deb', ['-x', archive, unpacked])
    const sha256 = createHash('sha256').update(readFileSync(archive)).digest('hex')
    const control = `${command('dpkg-deb', ['-f', archive])}\nStatus: install ok installed\n`
    return { name: chosen[i]!.name, version: chosen[i]!.version, sha256, control }
  })
  return { unpacked, packages }
}
