import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'mocha'
import { printable, printableJson } from '../../lib/encode/printable.ts'
import { amount, endName, flowRow, headerRow, rowLayout, seconds } from '../../lib/export/flow-row.ts'
import type { FlowRecord } from '../../lib/signals/flow-record.ts'
import { flowRecord, tcpRecord, tcpSide } from '../support/flow-records.ts'

const plain = new PassThrough()
const terminal = Object.assign(new PassThrough(), { isTTY: true, getColorDepth: () => 8 })
const longPod = {
  namespace: 'shop',
  pod: 'checkout-5c7d8f9b6-with-a-very-long-name-x9wq',
  address: '10.0.0.1',
  port: 1,
}

const retransmitting = flowRecord({
  tcp: tcpRecord({
    rttSeconds: 0.0123,
    request: tcpSide({ retransmitPackets: 12 }),
    response: tcpSide({ retransmitPackets: 3 }),
  }),
  problems: ['zero window', 'retransmits 2.1%'],
})
const refused = flowRecord({ tcp: tcpRecord({ state: 'refused' }), problems: ['refused'] })

describe('a row of a flow', () => {
  it('shows time, names, the port dialled, amounts, TCP’s figures, state and problems', () => {
    const row = flowRow(retransmitting, rowLayout(undefined), plain)
    assert.deepEqual(row.split(/\s{2,}/), [
      '12:03:09',
      'shop/frontend-7d',
      '→',
      'shop/cart:7070',
      'tcp',
      '14.2 KB',
      '3.1 KB',
      '12.3 ms',
      '15',
      'established',
      '✖ zero window, retransmits 2.1%',
    ])
  })

  it('has no TCP figures for other protocols, and says nothing where nothing is wrong', () => {
    const cells = flowRow(flowRecord({ transport: 'udp' }), rowLayout(undefined), plain).split(/\s{2,}/)
    assert.deepEqual(cells.slice(-3), ['-', '-', 'active'])
  })

  for (const columns of [80, 100, 120, 140, 200]) {
    it(`fits ${columns} columns by shortening names in the middle`, () => {
      const layout = rowLayout(columns)
      const problems = ['zero window', 'retransmits 2.1%', 'out of order']
      const row = flowRow({ ...retransmitting, source: longPod, problems }, layout, plain)
      assert.ok(row.length <= columns, `${row.length}`)
      assert.ok(headerRow(layout).length <= columns)
      assert.match(row, /shop\/\S+…\S*9wq {2}/)
      assert.match(row, / ✖ zero windo/)
    })
  }

  it('shortens nothing where there is no width', () => {
    assert.match(flowRow(flowRecord({ source: longPod }), rowLayout(undefined), plain), new RegExp(longPod.pod))
  })

  const common = { SOURCE: 'shop/f', DESTINATION: 'shop/c', PROTO: 'tcp', SENT: '14.2', RECEIVED: '3.1' }
  for (const [columns, more] of [
    [80, { STATE: '✖ zero windo' }],
    [120, { RTT: '12.3 ms', STATE: '✖ zero window' }],
    [150, { RTT: '12.3 ms', RETRANS: '15', STATE: 'established', PROBLEMS: '✖ zero' }],
  ] as const)
    it(`has its columns under their titles in ${columns} columns`, () => {
      const layout = rowLayout(columns)
      const [header, row] = [headerRow(layout), flowRow(retransmitting, layout, plain)]
      const titles = { ...common, ...more }
      for (const [title, text] of Object.entries(titles)) assert.equal(row.indexOf(text), header.indexOf(title), title)
      assert.deepEqual(header.split(/\s+/), ['TIME', ...Object.keys(titles)])
    })

  it('shows a connection’s state in narrow terminals while nothing is wrong', () => {
    const stateOf = (parts: Partial<FlowRecord>) =>
      flowRow(flowRecord(parts), rowLayout(80), plain)
        .split(/\s{2,}/)
        .at(-1)
    assert.equal(stateOf({ tcp: tcpRecord({ state: 'connecting' }) }), 'connecting')
    assert.equal(stateOf({ tcp: tcpRecord({ state: 'reset_by_server' }) }), 'reset')
    assert.equal(stateOf({ tcp: tcpRecord({}), state: 'parked' }), 'parked')
    assert.equal(stateOf({ tcp: tcpRecord({ state: 'closed' }), state: 'ended' }), 'closed')
    assert.equal(stateOf({ transport: 'udp', state: 'ended' }), 'ended')
  })

  it('has colours on a terminal alone', () => {
    const row = (out: PassThrough) => flowRow(refused, rowLayout(120), out)
    assert.ok(row(terminal).includes('\u001b[31m✖ refused'))
    assert.ok(!row(plain).includes('\u001b'))
  })

  it('names an end by pod, Service, workload, configured name or address, in this order', () => {
    const end = { address: '10.0.0.9', port: 80 }
    assert.equal(endName({ ...end, namespace: 'n', pod: 'p', service: 's', workload: 'w' }, 80), 'n/p:80')
    assert.equal(endName({ ...end, namespace: 'n', service: 's', workload: 'w' }, 80), 'n/s:80')
    assert.equal(endName({ ...end, name: 'office' }, 80), 'office:80')
    assert.equal(endName({ ...end, name: 'external' }, 80), '10.0.0.9:80')
    assert.equal(endName({ address: 'fd00::1', port: 443 }, 443), '[fd00::1]:443')
    assert.equal(endName({ address: 'fd00::1', port: 0 }, 0), 'fd00::1')
  })

  it('shows amounts in three digits', () => {
    const shown = [0, 999, 1_000, 14_200, 99_949, 99_950, 999_499, 999_500, 2 ** 53].map(amount)
    assert.deepEqual(shown, ['0 B', '999 B', '1.0 KB', '14.2 KB', '99.9 KB', '100 KB', '999 KB', '1.0 MB', '9.0 PB'])
  })
})

describe('a time in a row', () => {
  it('has two or three digits', () => {
    const shown = [0, 0.000085, 0.00099949, 0.0009995, 0.0123, 0.0995, 0.34, 0.9995, 1.2, 99.4, 300].map(seconds)
    assert.deepEqual(shown, [
      ...['0 µs', '85 µs', '999 µs', '1.0 ms', '12.3 ms', '100 ms', '340 ms', '1.0 s', '1.2 s', '99.4 s', '300 s'],
    ])
  })
})

describe('text from elsewhere', () => {
  it('can’t move the cursor, colour the terminal or turn its direction', () => {
    const hostile = 'a\u001b[31m\r\n\u009b2J\u202eb\u2066c\ud800d'
    assert.equal(printable(hostile), 'a\\u001b[31m\\u000d\\u000a\\u009b2J\\u202eb\\u2066c\ufffdd')
    assert.equal(printable('Zürich → 東京'), 'Zürich → 東京')
  })

  it('stays the same JSON', () => {
    const value = { name: 'a\u009b\u202e\u007f"\n' }
    const shown = printableJson(JSON.stringify(value))
    assert.equal(shown, '{"name":"a\\u009b\\u202e\\u007f\\"\\n"}')
    assert.deepEqual(JSON.parse(shown), value)
  })
})
