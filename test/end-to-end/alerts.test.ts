// The alerts of the chart, by Prometheus' own tool: silent on a node that is well, and each fires for what it is about.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { parse } from 'yaml'
import { promtool } from '../support/prometheus.ts'

const file = new URL('../../deploy/chart/files/alerts.yaml', import.meta.url).pathname
const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const contract = readFileSync(new URL('../../docs/signals.md', import.meta.url), 'utf8')
const rules = parse(readFileSync(file, 'utf8')).groups[0].rules as { alert: string; expr: string }[]

/** An hour, a value a minute. */
const MINUTES = 60
const always = (value: number) => `${value}x${MINUTES}`
const growing = `0+60x${MINUTES}`
const series: readonly (readonly [alert: string, name: string, labels: string, well: string, unwell: string])[] = [
  ['PodweirUnexplained', 'podweir_ledger_unexplained', 'network_io_direction="transmit"', always(0), always(-3)],
  ['PodweirUnobserved', 'podweir_ledger_skbs_total', 'podweir_ledger_stage="unobserved"', always(7), growing],
  ['PodweirNotAttached', 'podweir_agent_interfaces', 'podweir_attach_state="failed"', always(0), always(2)],
  ['PodweirDegraded', 'podweir_agent_interfaces', 'podweir_attach_state="degraded"', always(0), always(2)],
  ['PodweirTableFull', 'podweir_agent_flow_count', '', always(29_000), always(32_000)],
  ['PodweirLost', 'podweir_ledger_packets_total', 'podweir_ledger_stage="restart"', always(9), growing],
  ['PodweirFaults', 'podweir_agent_faults_total', 'podweir_fault_kind="slot_push_failed"', always(1), growing],
  ['PodweirSelfAudit', 'podweir_agent_self_audit_violations_total', '', always(1), growing],
]

describe('the alerts of the chart', function () {
  this.timeout('2m')
  let folder = ''

  before('build Prometheus', async function () {
    this.timeout('10m')
    folder = mkdtempSync(join(tmpdir(), 'podweir-alerts-'))
    await promtool(['--version'])
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** Those that fire after an hour; `unwell`: the one whose series says that something is wrong. */
  async function firing(unwell?: string): Promise<string> {
    const input = series.map(([alert, name, labels, well, bad]) => {
      const all = ['job="podweir"', 'instance="node-1"', labels].filter(text => text !== '').join()
      return { series: `${name}{${all}}`, values: alert === unwell ? bad : well }
    })
    const limit = { series: 'podweir_agent_flow_limit{job="podweir",instance="node-1"}', values: always(32_768) }
    const promql_expr_test = [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${MINUTES}m`,
        exp_samples: unwell === undefined ? [] : [{ labels: `{alertname="${unwell}"}`, value: 1 }],
      },
    ]
    const test = {
      rule_files: [file],
      evaluation_interval: '1m',
      tests: [{ interval: '1m', input_series: [...input, limit], promql_expr_test }],
    }
    const path = join(folder, 'test.yaml')
    writeFileSync(path, JSON.stringify(test))
    const { code, said } = await promtool(['test', 'rules', path])
    return code === 0 ? '' : said
  }

  it('are rules', async () => {
    const { code, said } = await promtool(['check', 'rules', file])
    assert.equal(code, 0, said)
  })

  it('are silent on a node that is well', async () => assert.equal(await firing(), ''))

  for (const { alert } of rules)
    it(`fire for what they are about, alone: ${alert}`, async () => assert.equal(await firing(alert), ''))

  it('are all tried here, and each is explained', () => {
    const names = rules.map(({ alert }) => alert)
    assert.deepEqual(
      series.map(([alert]) => alert),
      names,
    )
    assert.deepEqual(
      [...page.matchAll(/^\| `(Podweir\w+)` \|/gm)].map(([, name]) => name),
      names,
    )
  })

  it('ask for metrics that there are', () => {
    const asked = rules.flatMap(({ expr }) =>
      [...expr.matchAll(/podweir_(?:ledger|agent)_\w+(?=[{)[ ])/g)].map(([name]) => name),
    )
    const known = [...contract.split('## Reserved names')[0]!.matchAll(/^\| `(podweir\.[\w.]+)` \| (\w+)/gm)].map(
      ([, name, instrument]) => name!.replaceAll('.', '_') + (instrument === 'counter' ? '_total' : ''),
    )
    const labels = new Set(['podweir_ledger_stage'])
    assert.deepEqual(
      asked.filter(name => !known.includes(name) && !labels.has(name)),
      [],
    )
    assert.ok(asked.length >= rules.length)
  })
})
