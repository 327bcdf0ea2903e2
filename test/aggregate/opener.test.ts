import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { decideOpener, type OpenerQuestion } from '../../lib/aggregate/opener.ts'
import { ServedPorts } from '../../lib/aggregate/served-ports.ts'
import { Confidence, Opener } from '../../lib/capture/flow-batch.ts'
import { api, apiService, external, node, web } from './small-cluster.ts'

const metInTheMiddle: OpenerQuestion = {
  opener: Opener.remote,
  confidence: Confidence.firstPacket,
  protocol: 6,
  localPort: 40_000,
  remotePort: 9000,
  addressOrder: -1,
  interfaceSlot: 1,
  local: web,
  remote: external,
}

function decide(parts: Partial<OpenerQuestion>, servedPorts = new ServedPorts()) {
  return decideOpener({ ...metInTheMiddle, ...parts }, servedPorts)
}

describe('opener', () => {
  it('is the sender of the SYN, whatever the ports say', () => {
    const seen = { confidence: Confidence.handshake, opener: Opener.remote, localPort: 40_000, remotePort: 80 }
    assert.deepEqual(decide(seen), { client: 'remote', basis: 'handshake' })
    assert.deepEqual(decide({ ...seen, opener: Opener.local }), { client: 'local', basis: 'handshake' })
  })

  it('is the remote when the local port is one that the local pod serves', () => {
    const parts = { local: api, localPort: 8080, remotePort: 443, remote: node }
    assert.deepEqual(decide(parts), { client: 'remote', basis: 'ports' })
  })

  it('is the local end when the remote port is one that the remote pod serves, the mirror image', () => {
    assert.deepEqual(decide({ remote: api, remotePort: 8080, localPort: 443 }), { client: 'local', basis: 'ports' })
  })

  it('does not take a UDP port for a TCP port', () => {
    assert.equal(decide({ remote: api, remotePort: 5353, localPort: 443 }).basis, 'lower_port')
    assert.equal(decide({ remote: api, remotePort: 5353, localPort: 443, protocol: 17 }).basis, 'ports')
  })

  it('is found by other evidence when both ends serve their port, at both ends alike', () => {
    const here = decide({ local: api, localPort: 8080, remote: api, remotePort: 8080, addressOrder: -1 })
    const there = decide({ local: api, localPort: 8080, remote: api, remotePort: 8080, addressOrder: 1 })
    assert.deepEqual(
      [here, there],
      [
        { client: 'local', basis: 'address' },
        { client: 'remote', basis: 'address' },
      ],
    )
  })

  it('is the remote when the local port has accepted a SYN before', () => {
    const servedPorts = new ServedPorts()
    servedPorts.remember(1, 6, 40_000)
    assert.deepEqual(decide({}, servedPorts), { client: 'remote', basis: 'ports' })
    assert.equal(decide({ interfaceSlot: 2 }, servedPorts).basis, 'lower_port')
    servedPorts.forget(1)
    assert.equal(decide({}, servedPorts).basis, 'lower_port')
  })

  it('is the same seen from the other pod of this node, whose port accepted a SYN before', () => {
    const servedPorts = new ServedPorts()
    servedPorts.bind(1, web)
    servedPorts.remember(1, 6, 40_000)
    const fromTheOther = { interfaceSlot: 2, local: node, remote: web, localPort: 9000, remotePort: 40_000 }
    assert.deepEqual(decide(fromTheOther, servedPorts), { client: 'local', basis: 'ports' })
  })

  it('remembers a bounded number of ports of an interface', () => {
    const servedPorts = new ServedPorts()
    for (let port = 1; port <= 5000; port++) servedPorts.remember(1, 6, port)
    assert.equal(servedPorts.atInterface(1, 6, 1024), true)
    assert.equal(servedPorts.atInterface(1, 6, 1025), false)
  })

  it('is the local end when the remote is a Service address', () => {
    const parts = { remote: apiService, remotePort: 9999, localPort: 80 }
    assert.deepEqual(decide(parts), { client: 'local', basis: 'service' })
    assert.deepEqual(decide({ ...parts, protocol: 1 }), { client: 'local', basis: 'service' })
  })

  it('is the end with the higher port when nothing is known', () => {
    assert.deepEqual(decide({ localPort: 40_000, remotePort: 9000 }), { client: 'local', basis: 'lower_port' })
    assert.deepEqual(decide({ localPort: 443, remotePort: 9000 }), { client: 'remote', basis: 'lower_port' })
  })

  it('takes port 0 for a port that was left out', () => {
    assert.equal(decide({ localPort: 0, remotePort: 9000 }).client, 'local')
    assert.equal(decide({ localPort: 9000, remotePort: 0 }).client, 'remote')
  })

  it('is the lower address when the ports are equal or there are none', () => {
    const equalPorts = { localPort: 500, remotePort: 500, protocol: 17 }
    assert.deepEqual(decide({ ...equalPorts, addressOrder: -3 }), { client: 'local', basis: 'address' })
    assert.deepEqual(decide({ ...equalPorts, addressOrder: 3 }), { client: 'remote', basis: 'address' })
    assert.equal(decide({ protocol: 58, addressOrder: 3 }).client, 'remote')
  })
})
