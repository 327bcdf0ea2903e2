// The kernels of the matrix: which package of Debian each is, and its files on this machine.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { DebianIndex, isNewer, type Package, Unavailable } from '../../deploy/debian-index.ts'

const SUITES = ['bullseye', 'bookworm', 'trixie', 'sid']
const cache = join(homedir(), '.cache/podweir/kernels')
const choice = join(cache, 'kernels.json')
const WEEK_MS = 7 * 86_400_000
/** What carries a kernel is larger than what only depends on it. */
const SMALLEST_BYTES = 5_000_000
/** In the order in which they are inserted; the kernels of the matrix have IPv6 built in. */
const MODULES = ['veth', 'sch_ingress', 'cls_bpf']

export interface Kernel {
  /** Of the package: `5.10.262-1`. */
  readonly version: string
  readonly image: string
  /** Files of the modules, compressed or not. */
  readonly modules: readonly string[]
}

interface Choice {
  readonly chosenAtMs: number
  /** By series. */
  readonly packages: Readonly<Record<string, Package>>
}

/**
 * For each of the series (`5.10`, or `newest` for the highest version that there is) its newest package, chosen once a
 * week. While the mirror does not answer, the last choice holds. A series that is nowhere to be had is left out.
 */
export function kernelsOf(series: readonly string[]): Map<string, Kernel> {
  const last: Choice | undefined = existsSync(choice) ? JSON.parse(readFileSync(choice, 'utf8')) : undefined
  const packages = last && isFresh(last, series) ? last.packages : chooseAgain(series, last)
  return new Map(Object.entries(packages).map(([name, chosen]) => [name, kernelIn(folderOf(chosen), chosen.version)]))
}

function isFresh({ chosenAtMs, packages }: Choice, series: readonly string[]): boolean {
  const isThere = (name: string) => packages[name] !== undefined && existsSync(folderOf(packages[name]))
  return Date.now() - chosenAtMs < WEEK_MS && series.every(isThere)
}

function chooseAgain(series: readonly string[], last: Choice | undefined): Choice['packages'] {
  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(cache, 'fetch-'))
  try {
    // A series that the mirror has no more is still here.
    const packages = { ...packagesHere(last), ...fetchNewest(series, scratch) }
    writeFileSync(choice, JSON.stringify({ chosenAtMs: Date.now(), packages } satisfies Choice))
    const kept = [choice, scratch, ...Object.values(packages).map(folderOf)]
    for (const name of readdirSync(cache))
      if (!kept.includes(join(cache, name))) rmSync(join(cache, name), { recursive: true })
    return packages
  } catch (error) {
    if (last) return packagesHere(last)
    throw error
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function packagesHere(last: Choice | undefined): Choice['packages'] {
  const here = Object.entries(last?.packages ?? {}).filter(([, chosen]) => existsSync(folderOf(chosen)))
  return Object.fromEntries(here)
}

/** Downloads only what the cache lacks. A folder with the name of a package is complete. */
function fetchNewest(series: readonly string[], scratch: string): Record<string, Package> {
  const index = new DebianIndex(scratch, {
    // What is in development has no suite of security updates.
    suites: [...SUITES, ...SUITES.slice(0, -1).map(suite => `${suite}-security`)],
    architectures: ['amd64'],
  })
  const carriers = ['linux-image-', 'linux-binary-'].flatMap(prefix => index.packages(prefix, '-cloud-amd64'))
  if (carriers.length === 0) throw new Unavailable('the Debian mirror does not answer')
  const packages: Record<string, Package> = {}
  for (const name of series) {
    const newest = newestOf(carriers, name)
    if (newest) packages[name] = newest
  }
  const lacking = Object.values(packages).filter(chosen => !existsSync(folderOf(chosen)))
  for (const [i, chosen] of lacking.entries()) {
    const files = join(scratch, `${i}`)
    mkdirSync(files)
    for (const archive of index.download([chosen, ...modulesOf(chosen)])) unpack(archive, files)
    kernelIn(files, chosen.version)
    renameSync(files, folderOf(chosen))
  }
  return packages
}

function newestOf(carriers: readonly Package[], series: string): Package | undefined {
  const fitting = carriers
    .filter(({ version }) => series === 'newest' || version.startsWith(`${series}.`))
    .filter(({ name, bytes }) => !/-(unsigned|dbg)/.test(name) && bytes > SMALLEST_BYTES)
    // `~`: a release's kernel, built for the release before it.
    .filter(({ version }) => !version.includes('~'))
  return fitting.length > 0 ? fitting.reduce((a, b) => (isNewer(b.version, a.version) ? b : a)) : undefined
}

/** From 7.0 on a package of their own. */
function modulesOf({ name, version }: Package): Package[] {
  if (!name.startsWith('linux-binary-')) return []
  return [{ name: name.replace('linux-binary-', 'linux-modules-'), version, bytes: 0 }]
}

/** Only what a guest is made of: a kernel package has thousands of files. */
function unpack(archive: string, folder: string): void {
  const wanted = ['*/vmlinuz*', ...MODULES.map(name => `*/${name}.ko*`)].map(pattern => `'${pattern}'`).join(' ')
  const command = `dpkg-deb --fsys-tarfile "$0" | tar -x -C "$1" --wildcards ${wanted} 2>/dev/null`
  // tar ends with 2 when a pattern matches nothing, as in a package of modules alone.
  spawnSync('sh', ['-c', command, archive, folder])
}

function folderOf({ name, version }: Package): string {
  return join(cache, `${name}_${version}`)
}

function kernelIn(folder: string, version: string): Kernel {
  const only = (pattern: string) => {
    const path = globSync(pattern, { cwd: folder })[0]
    if (!path) throw new Error(`${folder} has no ${pattern}`)
    return join(folder, path)
  }
  return { version, image: only('**/vmlinuz*'), modules: MODULES.map(name => only(`**/${name}.ko*`)) }
}
