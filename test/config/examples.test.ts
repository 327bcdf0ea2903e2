import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, it } from 'mocha'
import { parse } from 'yaml'
import { type Config, configOf } from '../../lib/config/config.ts'
import { settingsSchema } from '../../lib/config/json-schema.ts'
import { signalsOf } from '../../lib/config/outlets.ts'
import { YamlDocument } from '../../lib/config/yaml-document.ts'
import { agentExamples, exampleText } from '../support/example-files.ts'

/** What each is for: exporters, with their signals. */
const meant: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'agent.yaml': { otlp_grpc: 'metrics' },
  'all-signals.yaml': { otlp_grpc: 'metrics traces logs' },
  'alloy.yaml': { 'otlp_grpc/alloy': 'metrics traces logs' },
  'influxdb.yaml': { influx: 'metrics' },
  'jaeger.yaml': { 'otlp_grpc/jaeger': 'traces', file: 'metrics' },
  'kafka.yaml': { kafka: 'metrics traces logs' },
  'netapp.yaml': { influx: 'metrics' },
  'prometheus-otlp.yaml': { otlp_http: 'metrics' },
  'prometheus.yaml': { prometheus: 'metrics' },
  'telegraf.yaml': { influx: 'metrics' },
  'tempo.yaml': { 'otlp_grpc/tempo': 'traces', 'otlp_http/metrics': 'metrics' },
}

const validate = new Ajv2020({ strictTypes: false }).compile(settingsSchema(exampleText('agent.yaml')))

describe('examples of agent settings', () => {
  it('are these', () => assert.deepEqual(agentExamples, Object.keys(meant)))

  for (const [name, exporters] of Object.entries(meant))
    it(`${name} is taken without a warning, and does what it is for`, () => {
      const config = read(name)
      assert.deepEqual(config.warnings, [])
      const found = config.exporters.map(({ id }) => [id, signalsOf(config, id).join(' ')])
      assert.deepEqual(Object.fromEntries(found), exporters)
      assert.ok(validate(parse(exampleText(name))), JSON.stringify(validate.errors))
    })

  it('are said how to be started', () => {
    for (const name of agentExamples.filter(each => each !== 'agent.yaml'))
      assert.match(exampleText(name), new RegExp(`podweir agent --config otel-config/${name}\\n`), name)
  })

  it('are all in the documentation', () => {
    const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    for (const name of agentExamples) assert.ok(page.includes(`otel-config/${name})`), name)
  })
})

function read(name: string): Config {
  const values = { environment: {}, fileText: () => 'token\n' }
  return configOf(new YamlDocument([{ name, text: exampleText(name) }], values), values.environment, [])
}
