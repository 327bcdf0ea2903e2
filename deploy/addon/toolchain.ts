// clang and lld make code for every target, whatever machine they run on: the same commands on each.
import { spawnSync } from 'node:child_process'
import { Failure } from '../../lib/host/failure.ts'
import { command } from '../command.ts'
import { sysrootFor } from './sysroot.ts'
import type { Target } from './target.ts'

export interface Toolchain {
  readonly target: Target
  readonly cc: string
  readonly cxx: string
  readonly ar: string
  readonly ranlib: string
  /** Of the compiler, for the notes about a build. */
  readonly version: string
}

export function toolchainFor(target: Target, cache: string): Toolchain {
  const clang = ['clang', 'clang-14'].find(isThere)
  if (clang === undefined) throw lacking('clang')
  const flags = `--target=${target.triple}`
  const [ar, ranlib] = ['llvm-ar', 'llvm-ranlib'].map(tool => besides(clang, tool, 'llvm')) as [string, string]
  besides(clang, 'ld.lld', 'lld')
  const sysroot = sysrootFor(target, cache)
  const places = `${flags} --sysroot=${sysroot} --gcc-toolchain=${sysroot}/usr`
  return {
    target,
    cc: `${clang} ${places}`,
    cxx: `${clang.replace('clang', 'clang++')} ${places}`,
    ar,
    ranlib,
    version: command(clang, ['--version']).split('\n')[0]!,
  }
}

function isThere(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0
}

/** A tool of the same version as the compiler. */
function besides(clang: string, tool: string, packageName: string): string {
  const path = command(clang, [`-print-prog-name=${tool}`])
  if (!isThere(path)) throw lacking(packageName)
  return path
}

function lacking(packageName: string): Failure {
  return new Failure({
    step: 'build',
    subject: 'a prebuilt addon',
    cause: `${packageName} is not installed`,
    remedy: `apt-get install ${packageName}`,
  })
}
