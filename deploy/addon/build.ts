// Builds the addon for each target: build/prebuilds/linux-ARCH/podweir.node, with nothing dynamic but the C library.
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from '../command.ts'
import { staticLibraries } from './static-libraries.ts'
import type { Target } from './target.ts'
import { type Toolchain, toolchainFor } from './toolchain.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Texts of the licences of what is in an addon. */
export const licences = join(root, 'build/prebuilds/licences')
const cache = join(homedir(), '.cache/podweir/addon')
/** What binding.gyp needs beside itself. It leaves out tests where there is no folder of that name. */
const TREE = ['addon', 'ebpf', 'node_modules', 'package.json', 'binding.gyp']

/** Its path. The second time it takes what has changed since. */
export function buildAddon(target: Target): string {
  const toolchain = toolchainFor(target, cache)
  const libraries = staticLibraries(toolchain, cache)
  const tree = join(root, 'build/prebuilds', `tree-${target.arch}`)
  mkdirSync(tree, { recursive: true })
  for (const name of TREE) if (!existsSync(join(tree, name))) symlinkSync(join(root, name), join(tree, name))
  compile(tree, toolchain, libraries)
  const addon = join(root, 'build/prebuilds', `linux-${target.arch}`, 'podweir.node')
  mkdirSync(dirname(addon), { recursive: true })
  cpSync(join(tree, 'build/Release/podweir.node'), addon)
  cpSync(join(libraries, 'licences'), licences, { recursive: true })
  return addon
}

function compile(tree: string, { cc, cxx, ar, target }: Toolchain, libraries: string): void {
  const env = {
    ...process.env,
    ...{ CC: cc, CXX: cxx, AR: ar, npm_config_nodedir: dirname(dirname(process.execPath)) },
    PATH: `${dirname(process.execPath)}:${process.env.PATH}:/usr/sbin`,
    CPPFLAGS: `-I${libraries}/include`,
    // clang looks into the macros of netlink.h, which compare lengths with and without a sign.
    CXXFLAGS: `-Wno-sign-compare -ffunction-sections -fdata-sections -ffile-prefix-map=${tree}=.`,
    LDFLAGS: [
      ...[`-L${libraries}/lib`, '-fuse-ld=lld', '-static-libstdc++', '-static-libgcc'],
      // Nobody is to see our copies of libbpf and the C++ library: Node has its own.
      `-Wl,--version-script=${join(root, 'deploy/addon/exports.map')}`,
      ...['-Wl,--gc-sections', '-Wl,--as-needed', '-Wl,-s'],
    ].join(' '),
  }
  const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js')
  command(process.execPath, [gyp, 'configure', `--arch=${target.arch}`], { cwd: tree, env })
  command('make', ['-j2', '-C', 'build', 'podweir', 'BUILDTYPE=Release'], { cwd: tree, env })
}
