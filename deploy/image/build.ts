// An image for one processor: the archive, what is in it, and what it was made of.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Target } from '../addon/target.ts'
import type { Bundle } from '../bundle/build.ts'
import { compileCacheVariables, nodeFlags } from '../bundle/compile-cache.ts'
import { command } from '../command.ts'
import { lockedPackage } from '../npm-package.ts'
import { type Archive, writeArchive } from './archive.ts'
import type { DebianPackage } from './packages.ts'
import { sbomOf } from './sbom.ts'
import { APP, layTree } from './tree.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface BuiltImage extends Archive {
  readonly name: string
  readonly sbom: string
  readonly provenance: string
}

/** Into `folder`, under a name without a tag: the version is the tag. */
export function buildImage(target: Target, bundle: Bundle, name: string, folder: string): BuiltImage {
  mkdirSync(folder, { recursive: true })
  const tree = layTree(target, bundle, join(folder, `tree-${target.debian}`))
  const { version, description, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const base = join(folder, `podweir-${version}-${target.debian}`)
  const tagged = `${name}:${version}`
  const labels = { title: 'podweir', description, version, licenses: license, ...commit() }
  const archive = writeArchive(`${base}.tar`, tagged, [tree.base, tree.app], {
    architecture: target.debian,
    created: createdAt(),
    config: {
      User: '0',
      Env: Object.entries(variables()).map(([key, value]) => `${key}=${value}`),
      Entrypoint: ['/usr/bin/podweir'],
      Cmd: ['agent'],
      WorkingDir: '/',
      StopSignal: 'SIGTERM',
      Labels: Object.fromEntries(
        Object.entries(labels).map(([key, value]) => [`org.opencontainers.image.${key}`, value]),
      ),
    },
  })
  const sbom = `${base}.cdx.json`
  writeFileSync(sbom, sbomOf(target, bundle, tree.packages))
  const provenance = `${base}.provenance.json`
  writeFileSync(provenance, provenanceOf(target, tagged, archive, tree.packages))
  return { ...archive, name: tagged, sbom, provenance }
}

/** `podweir` and what it starts take these. */
function variables(): Record<string, string> {
  return {
    PATH: '/usr/bin',
    NODE_OPTIONS: nodeFlags(),
    ...compileCacheVariables(APP),
  }
}

function commit(): { revision?: string } {
  const { status, stdout } = spawnSync('git', ['-C', root, 'rev-parse', 'HEAD'], { encoding: 'utf8' })
  return status === 0 ? { revision: stdout.trim() } : {}
}

/** Of the commit: the same source gives the same image, whenever it is built. */
function createdAt(): string {
  const { status, stdout } = spawnSync('git', ['-C', root, 'log', '-1', '--format=%ct'], { encoding: 'utf8' })
  return new Date(status === 0 ? Number(stdout) * 1000 : 0).toISOString()
}

/** Notes, not an attestation: nobody signs them. */
function provenanceOf(target: Target, image: string, { digest }: Archive, packages: readonly DebianPackage[]): string {
  const node = lockedPackage(`node-linux-${target.arch}`)
  const notes = {
    ...{ image, digest, ...commit() },
    node: { package: `${node.name}@${node.version}`, integrity: node.integrity },
    debian: packages.map(({ name, version, sha256 }) => ({ name, version, sha256 })),
    compiler: command('clang', ['--version']).split('\n')[0],
    bundler: `esbuild ${lockedPackage(`@esbuild/linux-${process.arch}`).version}`,
    builder: 'deploy/image/build',
  }
  return `${JSON.stringify(notes, null, 1)}\n`
}
