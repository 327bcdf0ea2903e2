// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what a settings file holds
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { configOf } from '../../lib/config/config.ts'
import { describeSettings } from '../../lib/config/describe.ts'
import { settingsText } from '../../lib/config/settings-text.ts'
import { YamlDocument } from '../../lib/config/yaml-document.ts'

const environment = {
  OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '300',
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://l:1',
  OTEL_EXPORTER_OTLP_HEADERS: 'tenant=s3cret',
  OTEL_METRIC_EXPORT_INTERVAL: '5000',
  OTEL_RESOURCE_ATTRIBUTES: 'team=net',
  OTEL_SERVICE_NAME: 'flows',
  NODE_NAME: 'n1',
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  LEVEL: 'pod',
}

describe('the origin of a value', () => {
  let folder: string
  let lines: string[]

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-origin-'))
    writeFileSync(join(folder, 'token'), 's3cret\n')
    writeFileSync(join(folder, 'name'), 'from-a-file\n')
    const first = `receivers:
  podweir:
    level: \${env:LEVEL}
    detail: full
exporters:
  otlp_grpc:
    headers: { Authorization: "s3cret\${file:${folder}/token}\${env:NONE:-s3cret}" }
service:
  telemetry:
    resource: { k8s.cluster.name: "\${file:${folder}/name}", price: "5 $$" }
`
    const document = new YamlDocument(
      [
        { name: 'a.yaml', text: first },
        { name: 'b.yaml', text: 'receivers: { podweir: { detail: basic, scope: { exclude: { ports: [80, 81] } } } }' },
        { name: '--set receivers.podweir.zones', text: 'on', under: ['receivers', 'podweir', 'zones'] },
      ],
      { environment, fileText: path => (path.endsWith('token') ? 's3cret\n' : 'from-a-file\n') },
    )
    const config = configOf(document, environment, [])
    lines = settingsText(describeSettings(config), document, true).split('\n')
  })

  after(() => rmSync(folder, { recursive: true }))

  for (const [what, line] of [
    ['a default', 'attach: auto # default'],
    ['the last file that has it', 'detail: basic # b.yaml:1:25'],
    ['the command line', 'zones: on # --set receivers.podweir.zones'],
    ['the file, and the variable in it', 'level: pod # a.yaml:3:5, env:LEVEL'],
    ['one place for a list', 'ports: [ "80", "81" ] # b.yaml:1:60'],
    ['a variable', 'collection_interval: 5s # OTEL_METRIC_EXPORT_INTERVAL'],
    ['a variable of all signals', 'compression: gzip # OTEL_EXPORTER_OTLP_COMPRESSION'],
    ['a variable of one signal', 'timeout: 300ms # OTEL_EXPORTER_OTLP_METRICS_TIMEOUT'],
    ['a variable of one signal’s endpoint', 'logs_endpoint: http://l:1 # OTEL_EXPORTER_OTLP_LOGS_ENDPOINT'],
    ['a secret’s references alone', 'authorization: "[REDACTED]" # a.yaml:7:16, file:FOLDER/token, env:NONE'],
    ['a secret variable', 'tenant: "[REDACTED]" # OTEL_EXPORTER_OTLP_HEADERS'],
    ['resource variables', 'team: net # OTEL_RESOURCE_ATTRIBUTES'],
    ['the service’s name', 'service.name: flows # OTEL_SERVICE_NAME'],
    ['the node’s name', 'node_name: n1 # NODE_NAME'],
    ['being in a pod', 'auth_type: serviceAccount # KUBERNETES_SERVICE_HOST'],
    ['a file, whose content stays there', 'k8s.cluster.name: ${file:FOLDER/name} # a.yaml:10:17, file:FOLDER/name'],
    ['a file, as it would be written', 'price: 5 $$ # a.yaml:10:'],
  ] as const)
    it(`is ${what}`, () => {
      const expected = line.replaceAll('FOLDER', folder)
      const key = expected.slice(0, expected.indexOf(':'))
      const found = lines.map(each => each.trim()).filter(each => each.startsWith(`${key}:`))
      assert.ok(
        found.some(each => each === expected || (line.endsWith(':') && each.startsWith(expected))),
        `${expected}\nis not among\n${found.join('\n')}`,
      )
    })

  it('shows no secret', () => assert.doesNotMatch(lines.join(), /s3cret/))
})
