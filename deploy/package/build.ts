// The npm package: compiled JavaScript with its types, and the prebuilt addons. build/package/ has what is in it.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildAddon, licences } from '../addon/build.ts'
import { targets } from '../addon/target.ts'
import { command } from '../command.ts'
import { npm } from '../npm-package.ts'
import { publishedManifest } from './manifest.ts'
import { thirdParty } from './third-party.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'build/package')

/** The archive's path. */
export function buildPackage(): string {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  command(process.execPath, [tsc, '-p', join(root, 'deploy/package/tsconfig.json')], { cwd: root })
  for (const target of targets)
    cpSync(buildAddon(target), join(folder, 'prebuilds', `linux-${target.arch}`, 'podweir.node'))
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`)
  for (const name of ['LICENSE', 'CHANGELOG.md']) cpSync(join(root, name), join(folder, name))
  cpSync(join(root, 'docs/embedding.md'), join(folder, 'README.md'))
  cpSync(licences, join(folder, 'licences'), { recursive: true })
  writeFileSync(join(folder, 'licences/README.md'), thirdParty())
  return join(root, 'build', npm(['pack', folder, '--pack-destination', join(root, 'build'), '--silent']))
}
