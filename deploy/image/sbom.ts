// What is in an image, in CycloneDX: npm's own list of the packages that the bundle took something of, and what npm can't know.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sourceLibraries } from '../addon/static-libraries.ts'
import type { Target } from '../addon/target.ts'
import type { Bundle } from '../bundle/build.ts'
import { lockedPackage, npm } from '../npm-package.ts'
import type { DebianPackage } from './packages.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Component {
  readonly type: string
  readonly name: string
  readonly version: string
  readonly purl?: string
  readonly [more: string]: unknown
}

export function sbomOf(target: Target, bundle: Bundle, packages: readonly DebianPackage[]): string {
  // Without `--omit dev`: it leaves out what a package for development depends on, too.
  const listed = JSON.parse(npm(['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], root))
  const bundled = new Set(bundle.packages.map(path => nameAndVersion(path)))
  const components = [
    ...(listed.components as Component[]).filter(({ purl }) => bundled.has(decodeURIComponent(purl ?? ''))),
    ...packages.map(each => ofDebian(each, target)),
    ...sourceLibraries.map(ofSource),
    ofNode(target),
  ]
  const { serialNumber: _, metadata, dependencies: __, ...document } = listed
  const { timestamp: ___, ...described } = metadata
  return `${JSON.stringify({ ...document, metadata: described, components }, null, 1)}\n`
}

/** As a purl without its escapes has it; there may be several versions of a package. */
function nameAndVersion(path: string): string {
  const { name, version } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
  return `pkg:npm/${name}@${version}`
}

function ofDebian({ name, version, sha256 }: DebianPackage, { debian }: Target): Component {
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${debian}&distro=debian-12`
  return { type: 'library', 'bom-ref': purl, name, version, purl, hashes: [{ alg: 'SHA-256', content: sha256 }] }
}

function ofSource({ name, version, licence, sha256 }: (typeof sourceLibraries)[number]): Component {
  const purl = `pkg:generic/${name}@${version}`
  const hashes = [{ alg: 'SHA-256', content: sha256 }]
  return { type: 'library', 'bom-ref': purl, name, version, purl, licenses: [{ license: { id: licence } }], hashes }
}

function ofNode({ arch }: Target): Component {
  const { name, version, integrity } = lockedPackage(`node-linux-${arch}`)
  const purl = `pkg:npm/${name}@${version}`
  const content = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')
  return { type: 'application', 'bom-ref': purl, name, version, purl, hashes: [{ alg: 'SHA-512', content }] }
}
