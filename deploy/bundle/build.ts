// The program as a few files: one for each verb, what verbs share, and what is loaded only where it is asked for.
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from '../command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** The reader of settings is a process of its own. */
const ENTRIES = ['lib/main.ts', 'lib/config/settings-reader.ts']
/** What CommonJS packages expect to be there. */
const COMMON_JS = [
  "import { createRequire as podweirRequire } from 'node:module'",
  "import { fileURLToPath as podweirPath } from 'node:url'",
  'const require = podweirRequire(import.meta.url), __filename = podweirPath(import.meta.url)',
  "const __dirname = podweirPath(new URL('.', import.meta.url))",
].join('\n')

export interface Bundle {
  /** What runs, as it lies under /opt/podweir, without the addon: as deep as lib/ is, since paths lead from there. */
  readonly folder: string
  /** Packages of which something is in it. */
  readonly packages: readonly string[]
}

export function buildBundle(): Bundle {
  const folder = join(root, 'build/bundle')
  const code = join(folder, 'lib/bundle')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(code, { recursive: true })
  const meta = join(root, 'build/bundle.meta.json')
  const form = ['--bundle', '--splitting', '--format=esm', '--platform=node', '--target=node26']
  // Names stay as they are: a stack trace that a user sends is to be read.
  const size = ['--minify-whitespace', '--minify-syntax', '--legal-comments=none']
  const names = ['--entry-names=[name]', '--chunk-names=[name]-[hash]', `--outdir=${code}`, `--metafile=${meta}`]
  const esbuild = join(root, `node_modules/@esbuild/linux-${process.arch}/bin/esbuild`)
  command(esbuild, [...ENTRIES, ...form, ...size, ...names, `--banner:js=${COMMON_JS}`], { cwd: root })
  startByItself(join(code, 'main.js'))
  const { name, version, type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ name, version, type })}\n`)
  return { folder, packages: packagesIn(meta) }
}

/** There is no `env` beside it. */
function startByItself(main: string): void {
  writeFileSync(main, readFileSync(main, 'utf8').replace(/^#!.*\n/, '#!/usr/bin/node\n'))
  chmodSync(main, 0o755)
}

function packagesIn(meta: string): string[] {
  const { inputs } = JSON.parse(readFileSync(meta, 'utf8'))
  const folders = Object.keys(inputs).flatMap(
    path => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  )
  return [...new Set(folders)].sort()
}

/** Into an empty folder: the program, its addon and its compile cache. */
export function layApp(bundle: Bundle, addon: string, arch: string, app: string): void {
  cpSync(bundle.folder, app, { recursive: true })
  cpSync(addon, join(app, 'prebuilds', `linux-${arch}`, 'podweir.node'))
}
