import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { attributionResults } from '../../lib/aggregate/attribution.ts'
import type { FlowTable } from '../../lib/aggregate/flow-table.ts'
import { DnsNamed } from '../../lib/enrich/dns-named.ts'
import { DnsNames } from '../../lib/enrich/dns-names.ts'
import { HEARD_MS, owner } from '../support/cluster-objects.ts'
import { type agent, agent as agentOf, fromOutside, namesOf, pods, tellAll, twoNodes } from './two-nodes.ts'

function counted({ attribution }: FlowTable): Record<string, number> {
  return Object.fromEntries(
    attributionResults
      .map((result, i): [string, number] => [result, attribution.bytes[i]!])
      .filter(([, bytes]) => bytes > 0),
  )
}

/** Flows that web opens to these addresses, 110 bytes each. */
function dial({ see, table }: ReturnType<typeof agent>, ...remotes: string[]) {
  see(...remotes.map(remote => ({ remote, remotePort: 443 })))
  return counted(table)
}

describe('attribution', () => {
  it('has each byte of exported flows in one result: how their remote end was found', () => {
    const names = namesOf()
    tellAll(names)
    const dns = new DnsNames()
    dns.learn(1, 'api.example.com', ['198.51.100.9'], 60, HEARD_MS)
    const first = agentOf(names, [pods.web.uid, pods.api.uid], 'off', new DnsNamed(names, dns))
    assert.deepEqual(
      dial(
        first,
        ...['10.1.0.12', '10.2.0.13', '10.96.0.1', '198.51.100.7', '192.168.1.2', '10.2.0.200'],
        ...['198.51.100.9', '203.0.113.9', '198.51.100.8', '172.16.0.1'],
      ),
      { interface: 110, pod: 110, service: 220, node: 220, dns: 110, cidr: 110, external: 110, unknown: 110 },
    )
    const exported = first.edges.totals().bytes
    assert.equal(exported, 1100)
  })

  it('does not count what other ends report', () => {
    const { first } = twoNodes()
    first.see({ remote: '10.2.0.13', ...fromOutside })
    assert.deepEqual(counted(first.table), {})
    assert.equal(first.ledger.totals.otherEndBytes, 110)
  })

  it('knows a pod by its interface as soon as that is known to be its own, under whatever name', () => {
    const names = namesOf()
    const here = agentOf(names, [pods.web.uid, pods.api.uid])
    dial(here, '10.1.0.12')
    tellAll(names)
    dial(here, '10.1.0.12')
    names.changed('pods', { ...pods.api, owner: owner('StatefulSet', 'api') }, HEARD_MS + 1)
    assert.deepEqual(dial(here, '10.1.0.12'), { unknown: 110, interface: 220 })
  })

  it('says where a name is guessed, as without a list of all pods', () => {
    const names = namesOf({ peers: 'none' })
    tellAll(names)
    names.synced('pods', new Set([pods.web.uid]), 1_000_000)
    const alone = agentOf(names, [pods.web.uid])
    assert.deepEqual(dial(alone, '10.2.0.1', '10.2.0.99', '192.168.1.2'), { guessed: 220, node: 110 })
  })
})
