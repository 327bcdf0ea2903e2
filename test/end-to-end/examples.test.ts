import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { after, before, describe, it } from 'mocha'
import { collectorProgram } from '../support/collector.ts'
import { collectorExamples, examplePath, exampleText, prometheusExamples } from '../support/example-files.ts'
import { promtool } from '../support/prometheus.ts'

/** What the Collector of the tests lacks: in its place is an exporter that takes the same signals and settings of delivery. */
const instead: Readonly<Record<string, string>> = {
  clickhouse: 'otlp_grpc: { endpoint: "127.0.0.1:1", retry_on_failure: { enabled: true, max_elapsed_time: 300s } }',
}

describe('examples for other programs', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-examples-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('are there', () => {
    assert.deepEqual(collectorExamples, ['collector-clickhouse.yaml', 'collector-kafka.yaml', 'collector.yaml'])
  })

  for (const name of collectorExamples)
    it(`${name} is valid to a real Collector`, async function () {
      this.timeout(600_000)
      const lacking = Object.keys(instead).find(type => name.includes(type))
      if (lacking === undefined) return validate(examplePath(name))
      const complaint = await validate(examplePath(name)).catch(error => String(error.stderr))
      assert.match(complaint ?? '', new RegExp(`unknown type: "${lacking}"`))
      const file = join(folder, name)
      writeFileSync(file, withoutExporter(exampleText(name), lacking))
      await validate(file)
    })

  for (const name of prometheusExamples)
    it(`${name} is valid to a real Prometheus`, async function () {
      this.timeout(600_000)
      const { code, said } = await promtool(['check', 'config', examplePath(name)])
      assert.equal(code, 0, said)
    })
})

async function validate(file: string): Promise<undefined> {
  await promisify(execFile)(await collectorProgram(), ['validate', '--config', file])
}

/** Its whole section, and its name in pipelines. */
function withoutExporter(text: string, type: string): string {
  const [replacement] = instead[type]!.split(':')
  const section = new RegExp(`^  ${type}:\\n(    .*\\n)+`, 'm')
  assert.match(text, section)
  return text.replace(section, `  ${instead[type]}\n`).replaceAll(`[${type}]`, `[${replacement}]`)
}
