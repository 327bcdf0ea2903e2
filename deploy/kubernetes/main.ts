// npm run build:chart: writes what is made of other files into deploy/chart and deploy/manifests.
import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from '../command.ts'
import { manifest, manifests } from './manifests.ts'
import { copies, copyOf, valuesSchemaText } from './values.ts'

const deploy = fileURLToPath(new URL('..', import.meta.url))
const servers = process.env.PODWEIR_SERVERS ?? join(homedir(), '.cache/podweir/servers')

const recipe = fileURLToPath(new URL('../../test/support/servers/build-servers.sh', import.meta.url))
writeFileSync(join(deploy, 'chart/values.schema.json'), valuesSchemaText())
for (const file of Object.keys(copies) as (keyof typeof copies)[])
  writeFileSync(join(deploy, 'chart/files', file), copyOf(file))
const [folder] = command(recipe, ['helm']).split(':')
mkdirSync(join(deploy, 'manifests'), { recursive: true })
for (const [file, rendering] of Object.entries(manifests))
  writeFileSync(join(deploy, 'manifests', file), manifest(join(servers, folder!, 'helm'), rendering))
