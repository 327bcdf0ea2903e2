// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what a settings file holds
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import { type Config, parseConfig } from '../../lib/config/config.ts'
import type { FileExporterConfig, OtlpExporterConfig } from '../../lib/config/exporters.ts'

const environment = { LIMIT: '64', PORT: '4317', EMPTY: '', TOKEN: 's3cret$x', YES: 'true' }

describe('substitution', () => {
  it('becomes what YAML would make of the value', () => {
    const config = parse('receivers:\n  podweir:\n    flow_limit: ${env:LIMIT}\n')
    assert.equal(config.flowLimit, 64)
    const otlp = parse('exporters:\n  otlp_grpc:\n    endpoint: "c:1"\n    tls:\n      insecure: ${env:YES}\n')
      .exporters[0]
    assert.equal((otlp as OtlpExporterConfig).targets.metrics.tls.insecure, true)
  })

  it('is typed in quotes too, which { } needs', () => {
    assert.equal(parse('receivers: { podweir: { flow_limit: "${env:LIMIT}" } }').flowLimit, 64)
  })

  it('stays text where text is wanted', () => {
    const config = parse('service:\n  telemetry:\n    resource:\n      k8s.cluster.name: ${env:LIMIT}\n')
    assert.deepEqual(config.resourceAttributes, { 'k8s.cluster.name': '64' })
  })

  it('is replaced inside longer text, and what it brings is not replaced again', () => {
    const text = 'exporters: { otlp_grpc: { endpoint: "c:${env:PORT}", headers: { a: "Bearer ${env:TOKEN}" } } }'
    const otlp = parse(text).exporters[0] as OtlpExporterConfig
    assert.equal(otlp.targets.metrics.endpoint, 'c:4317')
    assert.deepEqual(otlp.targets.metrics.headers, { a: 'Bearer s3cret$x' })
  })

  it('takes its default when the variable is unset or empty', () => {
    for (const name of ['NONE', 'EMPTY']) {
      assert.equal(parse(`receivers:\n  podweir:\n    flow_limit: \${env:${name}:-32}\n`).flowLimit, 32)
    }
  })

  it('counts as not set when it comes to nothing', () => {
    assert.equal(parse('receivers:\n  podweir:\n    inventory: ${env:EMPTY}\n').inventoryFile, undefined)
  })

  it('takes what a file holds, without the line break at its end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'podweir-value-'))
    try {
      writeFileSync(join(folder, 'token'), 'a$b ${env:PORT}\r\n')
      writeFileSync(join(folder, 'limit'), '77\n')
      const text = `receivers: { podweir: { flow_limit: "\${file:${folder}/limit}" } }
exporters: { otlp_grpc: { headers: { a: "Bearer \${file:${folder}/token}" } } }`
      const config = parse(text)
      assert.equal(config.flowLimit, 77)
      assert.deepEqual((config.exporters[0] as OtlpExporterConfig).targets.logs.headers, {
        a: 'Bearer a$b ${env:PORT}',
      })
      assert.throws(() => pathOf(`\${file:${folder}/none}`), /none can't be read \(ENOENT\); allowed/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('gives way to $$', () => {
    assert.equal(pathOf('a$$b $${env:PORT} $5'), 'a$b ${env:PORT} $5')
  })

  it('is refused at its place when the variable is unset', () => {
    assert.throws(() => parse('service:\n  telemetry:\n    logs:\n      level: ${env:NONE}\n'), {
      problems: [
        'a.yaml:4:14: service.telemetry.logs.level: environment variable NONE is not set; allowed: ${env:NAME}, ${env:NAME:-DEFAULT}, ${file:PATH}, or $$ for a dollar sign',
      ],
    })
  })

  it('is refused when it is malformed', () => {
    assert.throws(() => pathOf('${http:x}'), /'\$\{http:x\}' is no variable; allowed/)
    assert.throws(() => pathOf('${file:}'), /'\$\{file:\}' is no variable; allowed/)
    assert.throws(() => pathOf('${env:PORT'), /'\$\{' without its '\}'; allowed/)
    assert.throws(
      () => parse('receivers: { podweir: { flow_limit: ${env:LIMIT} } }'),
      /a\.yaml:1:38: '\$\{…\}' inside \{ \}/,
    )
  })

  it('never shows its value in a problem', () => {
    assert.throws(
      () => parse('receivers:\n  podweir:\n    hook: ${env:TOKEN}\n'),
      (error: Error) =>
        /the value from the environment is not allowed/.test(error.message) && !/s3cret/.test(error.message),
    )
  })
})

function parse(text: string): Config {
  return parseConfig(text, 'a.yaml', environment)
}

function pathOf(text: string): string {
  return (parse(`exporters: { file: { path: '${text}' } }`).exporters[0] as FileExporterConfig).path
}
