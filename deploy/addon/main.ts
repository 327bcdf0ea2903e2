// npm run build:addon -- [x64] [arm64]: without a name, all.
import { statSync } from 'node:fs'
import { buildAddon } from './build.ts'
import { targetOf, targets } from './target.ts'

const names = process.argv.slice(2)
const unknown = names.filter(name => !targetOf(name))
if (unknown.length > 0) {
  process.stderr.write(`${unknown.join(', ')}: there are addons for ${targets.map(({ arch }) => arch).join(', ')}\n`)
  process.exit(2)
}
for (const target of targets) {
  if (names.length > 0 && !names.includes(target.arch)) continue
  const path = buildAddon(target)
  process.stdout.write(`${path} ${statSync(path).size} bytes\n`)
}
