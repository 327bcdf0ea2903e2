// The agent's status as lines for people: each interface, how far it is attached, since when and why not.

import { printable } from '../encode/printable.ts'
import type { InterfaceRecord, StatusRecord } from '../signals/flow-record.ts'

const header = ['STATE', 'REASON', 'SINCE', 'POD', 'DEVICE', 'WHERE', 'UNOBSERVED']

export function statusText(status: StatusRecord): string {
  const { version, startedAt, interfaces, endedUnread, flows, exporters, cluster } = status
  const observed = interfaces.filter(({ state }) => state === 'attached' || state === 'degraded').length
  const lines = [
    `podweir ${version} since ${startedAt}`,
    `interfaces: ${observed} of ${interfaces.length} attached`,
    ...(endedUnread > 0 ? [`gone before a last reading: ${endedUnread}`] : []),
    `flows: ${flows.live} of ${flows.limit}`,
    ...exporters.map(({ id, acknowledgedAt, failures }) => {
      const acknowledged =
        acknowledgedAt === undefined ? 'nothing acknowledged yet' : `acknowledged at ${acknowledgedAt}`
      return `${id}: ${acknowledged}, ${failures} failures`
    }),
    ...cluster.map(({ resource, syncedAt, degraded, objects }) => {
      const known = syncedAt === undefined ? 'not known yet' : `known since ${syncedAt}`
      return `${resource}: ${known}, ${objects} objects heard${degraded ? `; ${degraded.reason} since ${degraded.since}` : ''}`
    }),
  ]
  if (interfaces.length > 0) lines.push('', ...columns([header, ...[...interfaces].sort(worstFirst).map(cellsOf)]))
  return `${lines.map(printable).join('\n')}\n`
}

const order = ['failed', 'wanted', 'degraded', 'ignored', 'attached']

function worstFirst(a: InterfaceRecord, b: InterfaceRecord): number {
  return order.indexOf(a.state) - order.indexOf(b.state) || (a.pod < b.pod ? -1 : 1)
}

function cellsOf({ state, reason, since, pod, device, place, hook, unobservedSkbs }: InterfaceRecord): string[] {
  const where = place === undefined ? '-' : `${place}, ${hook}`
  return [state, reason ?? '-', since, pod, device || '-', where, String(unobservedSkbs)]
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  return rows.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  )
}
