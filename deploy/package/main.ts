// npm run build:package
import { statSync } from 'node:fs'
import { buildPackage } from './build.ts'

const path = buildPackage()
process.stdout.write(`${path} ${statSync(path).size} bytes\n`)
