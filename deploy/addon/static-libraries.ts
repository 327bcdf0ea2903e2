// libbpf, libelf and zlib from their sources, as archives that can go into an addon: Debian's own are not position-independent.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename, join } from 'node:path'
import { Failure } from '../../lib/host/failure.ts'
import { command } from '../command.ts'
import { DebianIndex } from '../debian-index.ts'
import type { Toolchain } from './toolchain.ts'

export interface SourceLibrary {
  /** Debian's source package. */
  readonly name: string
  readonly version: string
  readonly licence: string
  /** Of the upstream archive as Debian carries it. */
  readonly archive: string
  readonly sha256: string
  /** Files of the source that have the licence's text. */
  readonly texts: readonly string[]
}

export const sourceLibraries: readonly SourceLibrary[] = [
  {
    name: 'zlib',
    version: '1.2.13',
    licence: 'Zlib',
    archive: 'zlib_1.2.13.dfsg.orig.tar.bz2',
    sha256: '71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1',
    texts: ['README'],
  },
  {
    name: 'elfutils',
    version: '0.188',
    licence: 'LGPL-3.0-or-later',
    archive: 'elfutils_0.188.orig.tar.bz2',
    sha256: 'fb8b0e8d0802005b9a309c60c1d8de32dd2951b56f0c3a3cb56d21ce01595dff',
    texts: ['COPYING', 'COPYING-LGPLV3'],
  },
  {
    name: 'libbpf',
    version: '1.1.2',
    licence: 'BSD-2-Clause',
    archive: 'libbpf_1.1.2.orig.tar.gz',
    sha256: 'b50ab60637fb713db78aa98e6ca911ddf13c0799d498a1f6ec03ebffc7dca588',
    texts: ['LICENSE.BSD-2-Clause'],
  },
]

const jobs = `-j${cpus().length}`

/** A folder with `include/`, `lib/` and `licences/`, in the cache. */
export function staticLibraries(toolchain: Toolchain, cache: string): string {
  const key = createHash('sha256').update(JSON.stringify(sourceLibraries)).digest('hex').slice(0, 12)
  const folder = join(cache, `libraries-${toolchain.target.debian}-${key}`)
  if (existsSync(folder)) return folder
  const scratch = mkdtempSync(join(cache, 'build-'))
  try {
    const prefix = join(scratch, 'prefix')
    for (const part of ['include', 'lib']) mkdirSync(join(prefix, part), { recursive: true })
    const sources = unpackedSources(cache, scratch)
    buildZlib(sources.get('zlib')!, prefix, toolchain)
    buildLibelf(sources.get('elfutils')!, prefix, toolchain)
    buildLibbpf(sources.get('libbpf')!, prefix, toolchain)
    for (const { name, texts } of sourceLibraries)
      for (const text of texts) cpSync(join(sources.get(name)!, text), join(prefix, 'licences', name, text))
    renameSync(prefix, folder)
    return folder
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function unpackedSources(cache: string, scratch: string): Map<string, string> {
  const archives = join(cache, 'sources')
  if (sourceLibraries.some(({ archive }) => !existsSync(join(archives, archive)))) fetchSources(archives, scratch)
  return new Map(
    sourceLibraries.map(library => {
      const path = join(archives, library.archive)
      verify(library, path)
      const folder = join(scratch, library.name)
      mkdirSync(folder)
      command('tar', ['-xf', path, '-C', folder, '--strip-components=1'])
      return [library.name, folder]
    }),
  )
}

function fetchSources(archives: string, scratch: string): void {
  mkdirSync(archives, { recursive: true })
  const index = new DebianIndex(scratch, { suites: ['bookworm'], architectures: ['amd64'], sources: true })
  for (const { name, archive } of sourceLibraries) {
    const file = index.downloadSource(name).find(path => basename(path) === archive)
    if (file) cpSync(file, join(archives, archive))
  }
}

function verify({ name, archive, sha256 }: SourceLibrary, path: string): void {
  const found = existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'nothing'
  if (found === sha256) return
  rmSync(path, { force: true })
  throw new Failure({
    step: 'fetch the source of',
    subject: name,
    cause: `${archive} should have the SHA-256 ${sha256}, and the mirror has ${found}`,
    remedy: 'look at what changed, then put the new version into deploy/addon/static-libraries.ts',
  })
}

function buildZlib(source: string, prefix: string, { cc, ar, ranlib, target }: Toolchain): void {
  const env = { ...process.env, CC: `${cc} -O2 -fPIC`, AR: ar, RANLIB: ranlib, CHOST: target.triple }
  command('./configure', ['--static'], { cwd: source, env })
  command('make', [jobs, 'libz.a'], { cwd: source, env })
  install(source, prefix, ['libz.a'], ['zlib.h', 'zconf.h'])
}

function buildLibelf(source: string, prefix: string, { cc, cxx, ar, ranlib, target }: Toolchain): void {
  const settings = [`CC=${cc}`, `CXX=${cxx}`, `AR=${ar}`, `RANLIB=${ranlib}`, 'CFLAGS=-O2 -fPIC']
  const without = ['bzlib', 'lzma', 'zstd'].map(name => `--without-${name}`)
  const disabled = ['debuginfod', 'libdebuginfod', 'nls', 'symbol-versioning'].map(name => `--disable-${name}`)
  const places = [`CPPFLAGS=-I${prefix}/include`, `LDFLAGS=-L${prefix}/lib -fuse-ld=lld`]
  const parameters = [`--host=${target.triple}`, ...settings, ...places, ...without, ...disabled]
  command('./configure', parameters, { cwd: source })
  command('make', [jobs, '-C', 'libelf', 'libelf.a'], { cwd: source })
  install(source, prefix, ['libelf/libelf.a'], ['libelf/libelf.h', 'libelf/gelf.h', 'libelf/elf.h'])
}

function buildLibbpf(source: string, prefix: string, { cc, ar }: Toolchain): void {
  const settings = ['BUILD_STATIC_ONLY=1', 'NO_PKG_CONFIG=1', 'PREFIX=', 'LIBDIR=/lib', `DESTDIR=${prefix}`]
  const tools = [`CC=${cc}`, `AR=${ar}`, `CFLAGS=-O2 -fPIC -ffile-prefix-map=${source}=.`]
  const parameters = [jobs, ...settings, ...tools, `EXTRA_CFLAGS=-I${prefix}/include`]
  command('make', [...parameters, 'install', 'install_uapi_headers'], { cwd: join(source, 'src') })
}

function install(source: string, prefix: string, libraries: readonly string[], headers: readonly string[]): void {
  for (const path of libraries) cpSync(join(source, path), join(prefix, 'lib', basename(path)))
  for (const path of headers)
    for (const header of globSync(path, { cwd: source }))
      cpSync(join(source, header), join(prefix, 'include', basename(header)))
}
