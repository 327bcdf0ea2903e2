// The files of an image: Node with the libraries that it needs, certificates, and the program. No shell, no package manager.
import {
  cpSync,
  globSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildAddon, licences } from '../addon/build.ts'
import type { Target } from '../addon/target.ts'
import { type Bundle, layApp } from '../bundle/build.ts'
import { fillCompileCache } from '../bundle/compile-cache.ts'
import { command } from '../command.ts'
import { lockedPackage, npmPackage } from '../npm-package.ts'
import { copyLibraries } from './libraries.ts'
import { type DebianPackage, unpackPackages } from './packages.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const APP = '/opt/podweir'
const files: Readonly<Record<string, string>> = {
  '/etc/passwd': 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n',
  '/etc/group': 'root:x:0:\nnonroot:x:65532:\n',
  '/etc/nsswitch.conf': 'hosts: files dns\n',
}
const FOLDERS = ['proc', 'sys', 'dev', 'tmp', 'run/podweir', 'etc/podweir']

export interface Tree {
  /** What changes with Debian and Node alone. */
  readonly base: string
  /** What changes with each version of ours. */
  readonly app: string
  readonly packages: readonly DebianPackage[]
}

export function layTree(target: Target, bundle: Bundle, folder: string): Tree {
  rmSync(folder, { recursive: true, force: true })
  const base = join(folder, 'base')
  const app = join(folder, 'app')
  const { unpacked, packages } = unpackPackages(target, folder)
  for (const path of FOLDERS) mkdirSync(join(base, path), { recursive: true })
  for (const [path, text] of Object.entries(files)) write(join(base, path), text)
  layNode(target, base)
  copyLibraries([join(base, 'usr/bin/node')], unpacked, base)
  layCertificates(unpacked, base)
  for (const { name, control } of packages) {
    write(join(base, 'var/lib/dpkg/status.d', name), control)
    layCopyright(name, unpacked, base)
  }
  layApp(bundle, buildAddon(target), target.arch, join(app, APP))
  cpSync(licences, join(app, APP, 'licences'), { recursive: true })
  layLicences(bundle, join(app, APP, 'licences'))
  mkdirSync(join(app, 'usr/bin'), { recursive: true })
  symlinkSync(`${APP}/lib/bundle/main.js`, join(app, 'usr/bin/podweir'))
  fillCompileCache(join(app, APP), APP, nodeHere(target, base))
  return { base, app, packages }
}

/** Without its symbols, which nothing but a debugger reads. */
function layNode({ arch }: Target, base: string): void {
  const folder = npmPackage(lockedPackage(`node-linux-${arch}`))
  mkdirSync(join(base, 'usr/bin'), { recursive: true })
  const strip = command('clang', ['-print-prog-name=llvm-strip'])
  command(strip, ['--strip-all', '-o', join(base, 'usr/bin/node'), join(folder, 'bin/node')])
  write(join(base, 'usr/share/doc/node/LICENSE'), readFileSync(join(folder, 'LICENSE'), 'utf8'))
}

/** The program that runs the tree's Node on this machine. */
function nodeHere({ arch }: Target, base: string): string[] {
  const node = join(base, 'usr/bin/node')
  if (arch === process.arch) return [node]
  return [arch === 'arm64' ? 'qemu-aarch64' : 'qemu-x86_64', '-L', base, node]
}

/** Debian has a link where packages of one source share it. */
function layCopyright(name: string, unpacked: string, base: string): void {
  const folder = join('usr/share/doc', name)
  const isLink = lstatSync(join(unpacked, folder)).isSymbolicLink()
  const path = isLink ? folder : join(folder, 'copyright')
  cpSync(join(unpacked, path), join(base, path), { verbatimSymlinks: true, recursive: true })
}

/** As `update-ca-certificates` makes it: all of Mozilla's. */
function layCertificates(unpacked: string, base: string): void {
  const folder = join(unpacked, 'usr/share/ca-certificates/mozilla')
  const all = globSync('*.crt', { cwd: folder }).sort()
  write(
    join(base, 'etc/ssl/certs/ca-certificates.crt'),
    all.map(file => readFileSync(join(folder, file), 'utf8').trim()).join('\n'),
  )
}

/** Those of the packages that are in the bundle; one text of several packages is there once, under each of their names. */
function layLicences({ packages }: Bundle, folder: string): void {
  const places = new Map<string, string>()
  for (const path of packages) {
    const texts = globSync(['LICEN[CS]E*', 'licen[cs]e*', 'COPYING*', 'NOTICE*'], { cwd: join(root, path) }).sort()
    const name = path.replace(/^.*node_modules\//, '').replace('/', '+')
    for (const file of texts) {
      const text = readFileSync(join(root, path, file), 'utf8')
      const to = join(folder, 'npm', name, file)
      mkdirSync(dirname(to), { recursive: true })
      const same = places.get(text)
      if (same) {
        linkSync(same, to)
        continue
      }
      writeFileSync(to, text)
      places.set(text, to)
    }
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text.endsWith('\n') ? text : `${text}\n`)
}
