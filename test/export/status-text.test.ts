import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { statusText } from '../../lib/export/status-text.ts'
import type { InterfaceRecord } from '../../lib/signals/flow-record.ts'
import { status } from '../support/flow-records.ts'

describe('the status as text', () => {
  it('shows the interfaces, those that are not observed first, with reason and since when', () => {
    const since = '2026-11-21T12:03:00.000Z'
    const lost: InterfaceRecord = {
      ...{ pod: 'shop/web', device: 'eth0', state: 'wanted', reason: 'removed', since, unobservedSkbs: 12 },
      ...{ place: 'pod', hook: 'clsact' },
    }
    const failed: InterfaceRecord = {
      ...{ pod: 'shop/\u001b[2J', device: '', state: 'failed', reason: 'permission', since, unobservedSkbs: 0 },
    }
    const lines = statusText({ ...status, interfaces: [...status.interfaces, lost, failed] }).split('\n')
    assert.deepEqual(lines.slice(1, 3), ['interfaces: 1 of 3 attached', 'flows: 2 of 32768'])
    const rows = lines.slice(lines.indexOf('') + 1, -1).map(line => line.split(/ {2,}/))
    assert.deepEqual(rows, [
      ['STATE', 'REASON', 'SINCE', 'POD', 'DEVICE', 'WHERE', 'UNOBSERVED'],
      ['failed', 'permission', since, 'shop/\\u001b[2J', '-', '-', '0'],
      ['wanted', 'removed', since, 'shop/web', 'eth0', 'pod, clsact', '12'],
      ['attached', '-', '2026-11-21T12:00:00.000Z', 'shop/cart', 'eth0', 'pod, tcx', '0'],
    ])
  })
})
