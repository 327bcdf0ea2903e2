// The files of otel-config/, sorted by who reads them.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../../otel-config/', import.meta.url)
const names = readdirSync(folder).sort()

export const collectorExamples = names.filter(name => /^collector(-.*)?\.yaml$/.test(name))
export const prometheusExamples = ['prometheus-scrape.yaml']
export const agentExamples = names.filter(
  name => ![...collectorExamples, ...prometheusExamples, 'inventory.yaml'].includes(name),
)

export function examplePath(name: string): string {
  return fileURLToPath(new URL(name, folder))
}

export function exampleText(name: string): string {
  return readFileSync(examplePath(name), 'utf8')
}
