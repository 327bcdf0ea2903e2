// deploy/image/build [amd64] [arm64] [--name NAME] [--into FOLDER]
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { targets } from '../addon/target.ts'
import { buildBundle } from '../bundle/build.ts'
import { buildImage } from './build.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string', default: 'localhost/podweir' },
    into: { type: 'string', default: join(fileURLToPath(new URL('../..', import.meta.url)), 'build/image') },
  },
})
const chosen = targets.filter(({ debian }) => positionals.length === 0 || positionals.includes(debian))
if (chosen.length < positionals.length || chosen.length === 0) {
  process.stderr.write(`there are images for ${targets.map(({ debian }) => debian).join(', ')}\n`)
  process.exit(2)
}
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
const bundle = buildBundle()
for (const target of chosen) {
  const { path, name, digest, bytes, sentBytes } = buildImage(target, bundle, values.name, values.into)
  process.stdout.write(`${path}\n  ${name} ${digest}\n  ${megabytes(bytes)} MB, ${megabytes(sentBytes)} MB to pull\n`)
}
