import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { parseConfig } from '../../lib/config/config.ts'
import { NOT_YET } from '../../lib/config/not-yet.ts'
import { problemsOf } from '../support/config-problems.ts'

const list = [
  { setting: 'exporters.otlp_http' },
  { setting: 'exporters.*.temporality', works: ['cumulative'] },
  { setting: 'service.extensions.*', works: ['api'] },
]

describe('settings that are not available yet', () => {
  it('are refused at their place, whatever the name and value', () => {
    const text = `exporters:
  otlp_http/a:
  debug: { temporality: delta }
service: { extensions: [api, zpages] }
`
    assert.deepEqual(problemsOf(text, list), [
      'a.yaml:2:3: exporters.otlp_http/a: is not available in this version',
      'a.yaml:3:12: exporters.debug.temporality: is not available in this version; allowed: cumulative',
      'a.yaml:4:30: service.extensions[1]: is not available in this version; allowed: api',
    ])
  })

  it('may be said with a value that holds already, whatever its name', () => {
    assert.deepEqual(problemsOf('exporters: { debug: { temporality: cumulative } }', list), [])
    const text = 'extensions: { file_storage/a: }\nservice: { extensions: [api, file_storage/a] }'
    assert.deepEqual(problemsOf(text, [{ setting: 'service.extensions.*', works: ['api', 'file_storage'] }]), [])
  })

  it('are settings', () => {
    const file = readFileSync(new URL('../../otel-config/agent.yaml', import.meta.url), 'utf8')
    const known = parseConfig(
      file.replace(/^(\s*)#(?=[\w.]+:)/gm, '$1').replace('[api]', '[api, file_storage]'),
      'a',
      {},
      [],
    )
    assert.ok(known)
    for (const { setting } of NOT_YET) {
      const key = setting
        .split('.')
        .filter(each => each !== '*')
        .at(-1)!
        .replace('otlphttp', 'otlp_http')
      assert.match(file, new RegExp(`\\b${key}\\b`), `${setting} is no setting`)
    }
  })
})
