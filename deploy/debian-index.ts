// Debian's package index, read by apt in folders of our own: the machine's sources and state stay as they are.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

export interface Package {
  readonly name: string
  readonly version: string
  readonly bytes: number
}

export interface Wanted {
  /** Those that end in `-security` come from the mirror of security updates. */
  readonly suites: readonly string[]
  /** As Debian calls them; the first is meant where a name has none. */
  readonly architectures: readonly string[]
  /** Indexes of source packages, too. */
  readonly sources?: boolean
}

/** Why there is no index, in words that a skipped test can show. */
export class Unavailable extends Error {}

export class DebianIndex {
  readonly #options: string[]
  readonly #downloads: string

  /** Asks the mirror, and keeps in the folder what it answers: it may be removed afterwards. */
  constructor(folder: string, wanted: Wanted) {
    const targets = run('apt-get', ['indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Created-By: Packages'])
    writeFileSync(join(folder, 'sources.list'), mirrorsOf(targets, wanted).join('\n'))
    writeFileSync(join(folder, 'apt.conf'), configurationText(folder, wanted.architectures))
    this.#downloads = join(folder, 'downloads')
    for (const path of ['state/lists/partial', 'cache/archives/partial', 'downloads'])
      mkdirSync(join(folder, path), { recursive: true })
    // Read behind the machine's configuration: its proxy holds here too.
    this.#options = ['-c', join(folder, 'apt.conf')]
    // A suite that is gone fails this and spoils no other; what is lacking is seen later.
    spawnSync('apt-get', [...this.#options, 'update'])
  }

  /** Packages with such a name, in every version that the index has. */
  packages(prefix: string, suffix: string): Package[] {
    const all = run('apt-cache', [...this.#options, 'pkgnames', prefix]).split('\n')
    const names = all.filter(name => name.endsWith(suffix))
    if (names.length === 0) return []
    const text = run('apt-cache', [...this.#options, 'show', ...names])
    return text.split('\n\n').flatMap(packageOf)
  }

  /** The archives' paths. apt compares each with the index's checksum, and the index with Debian's signature. */
  download(packages: readonly Package[]): string[] {
    const exact = packages.map(({ name, version }) => `${name}=${version}`)
    run('apt-get', [...this.#options, 'download', ...exact], this.#downloads)
    return packages.map(({ name }) => {
      const [bare, architecture = '*'] = name.split(':')
      return join(this.#downloads, globSync(`${bare}_*_${architecture}.deb`, { cwd: this.#downloads })[0]!)
    })
  }

  /** The newest of the versions that begin with `upstream`: `name` may end in `:arm64`. */
  newest(name: string, upstream = ''): Package {
    const { stdout } = spawnSync('apt-cache', [...this.#options, 'show', name], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    const fitting = (stdout ?? '')
      .split('\n\n')
      .flatMap(packageOf)
      .filter(({ version }) => version.startsWith(upstream))
    if (fitting.length === 0) throw new Unavailable(`the Debian mirror has no ${name} ${upstream}`.trimEnd())
    return { ...fitting.reduce((a, b) => (isNewer(b.version, a.version) ? b : a)), name }
  }

  /** Paths of the files that a source package consists of; verified as packages are. */
  downloadSource(name: string): string[] {
    const folder = join(this.#downloads, `source-${name}`)
    mkdirSync(folder)
    run('apt-get', [...this.#options, 'source', '--download-only', name], folder)
    return readdirSync(folder).map(file => join(folder, file))
  }
}

/** Lines of a sources.list for every suite, from where this machine gets its own packages. */
function mirrorsOf(targets: string, { suites, sources }: Wanted): string[] {
  const uriOf = (label: string) =>
    targets
      .split('\n')
      .find(line => line.startsWith(`${label} `))
      ?.slice(label.length + 1)
  const main = uriOf('Debian')
  if (!main) throw new Unavailable('this machine’s apt has no Debian mirror')
  const security = uriOf('Debian-Security')
  const option = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : ''
  return suites.flatMap(suite => {
    const uri = suite.endsWith('-security') ? security : main
    if (!uri) return []
    return ['deb', ...(sources ? ['deb-src'] : [])].map(kind => `${kind} ${option}${uri} ${suite} main`)
  })
}

function configurationText(folder: string, architectures: readonly string[]): string {
  const settings = {
    'Dir::State': join(folder, 'state'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Cache::pkgcache': 'pkgcache.bin',
    'Dir::Cache::srcpkgcache': 'srcpkgcache.bin',
    'Dir::Etc::SourceList': join(folder, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'APT::Architecture': architectures[0],
    'APT::Sandbox::User': 'root',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`)
  // Images of containers tell apt to keep no cache and to clean up behind itself.
  const others = architectures.map(name => `APT::Architectures:: "${name}";\n`)
  return ['#clear APT::Update;\n', '#clear APT::Architectures;\n', ...lines, ...others].join('')
}

function packageOf(paragraph: string): Package[] {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? ''
  return field('Package') ? [{ name: field('Package'), version: field('Version'), bytes: Number(field('Size')) }] : []
}

export function isNewer(version: string, than: string): boolean {
  return spawnSync('dpkg', ['--compare-versions', version, 'gt', than]).status === 0
}

function run(program: string, parameters: string[], cwd = '/'): string {
  const { status, stdout, stderr } = spawnSync(program, parameters, { cwd, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (status === 0) return stdout
  throw new Unavailable(`${program}: ${stderr?.match(/^E: .*/m)?.[0] ?? 'it is not there'}`)
}
