import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'mocha'
import { amount, endName, flowRow, headerRow, problemOf, rowLayout } from '../../lib/export/flow-row.ts'
import { printable, printableJson } from '../../lib/export/printable.ts'
import { flowRecord } from '../support/flow-records.ts'

const plain = new PassThrough()
const terminal = Object.assign(new PassThrough(), { isTTY: true, getColorDepth: () => 8 })
const longPod = {
  namespace: 'shop',
  pod: 'checkout-5c7d8f9b6-with-a-very-long-name-x9wq',
  address: '10.0.0.1',
  port: 1,
}

describe('a row of a flow', () => {
  it('shows time, names, the port dialled, amounts and state', () => {
    const row = flowRow(flowRecord(), rowLayout(undefined), plain)
    const cells = row.split(/\s{2,}/)
    assert.deepEqual(cells, [
      '12:03:09',
      'shop/frontend-7d',
      '→',
      'shop/cart:7070',
      'tcp',
      '14.2 KB',
      '3.1 KB',
      'active',
    ])
  })

  for (const columns of [80, 100, 120]) {
    it(`fits ${columns} columns by shortening names in the middle`, () => {
      const layout = rowLayout(columns)
      const row = flowRow(flowRecord({ source: longPod, responsePackets: 0 }), layout, plain)
      assert.ok(row.length <= columns, `${row.length}`)
      assert.ok(headerRow(layout).length <= columns)
      assert.match(row, /shop\/\S+…\S*9wq {2}/)
    })
  }

  it('shortens nothing where there is no width', () => {
    assert.match(flowRow(flowRecord({ source: longPod }), rowLayout(undefined), plain), new RegExp(longPod.pod))
  })

  it('has its columns under their titles', () => {
    const layout = rowLayout(120)
    const [header, row] = [headerRow(layout), flowRow(flowRecord(), layout, plain)]
    const places = {
      SOURCE: 'shop/frontend',
      DESTINATION: 'shop/cart',
      PROTO: 'tcp',
      SENT: '14.2',
      RECEIVED: '3.1',
      STATE: 'active',
    }
    for (const [title, text] of Object.entries(places)) assert.equal(row.indexOf(text), header.indexOf(title), title)
  })

  it('has colours on a terminal alone', () => {
    const row = (out: PassThrough) => flowRow(flowRecord({ responsePackets: 0 }), rowLayout(120), out)
    assert.ok(row(terminal).includes('\u001b[31m✖ no reply'))
    assert.ok(!row(plain).includes('\u001b'))
  })

  it('names what the network did not do', () => {
    assert.equal(problemOf(flowRecord({ responsePackets: 0, opened: 0 })), 'no reply')
    assert.equal(problemOf(flowRecord({ responsePackets: 1, opened: 0 })), 'not opened')
    assert.equal(problemOf(flowRecord({ transport: 'udp', responsePackets: 0, opened: 0 })), undefined)
    assert.equal(problemOf(flowRecord({ confidence: 'first_packet', opened: 0 })), undefined)
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
