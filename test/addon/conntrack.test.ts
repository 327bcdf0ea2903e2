// Which flows of the table connection tracking is asked for: never one whose ports another connection has by now.
import assert from 'node:assert/strict'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import type { FlowBatch } from '../../lib/capture/flow-batch.ts'
import { type NatSource, Tracked } from '../../lib/capture/nat-source.ts'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { EndpointSocket } from '../support/endpoint-socket.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'

const PORT = 8080

describe('questions to connection tracking', function () {
  this.timeout(30_000)
  let namespaces: Namespaces
  let a: TestNamespace
  let b: TestNamespace
  let source: NativeProbeSource
  let nat: NatSource
  const sockets: EndpointSocket[] = []

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
  })

  beforeEach(async () => {
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
    source = await NativeProbeSource.open({ flowLimit: 64, retire: RETIRE_TIMES, auditEvery: 1 })
    nat = await source.openConntrack()
    await source.attach({ netns: a.path, device: 'eth0', place: 'pod', hook: 'auto' })
  })

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close()
    await source?.close()
    await namespaces?.remove()
  })

  async function dial(): Promise<EndpointSocket> {
    const socket = EndpointSocket.open(a).set('reuseAddress', 1).bind(a.addresses.v4, 7001)
    await socket.connect(b.addresses.v4, PORT).connected()
    return socket
  }

  const trackedOf = async ({ started }: FlowBatch) => {
    const { tracked, backendAddress, backendPort } = await nat.lookUp(started.slot, started.generation)
    assert.deepEqual([backendAddress.length, backendPort.length], [16 * started.length, started.length])
    return [...tracked]
  }

  it('are about a flow as long as its ports are its own', async () => {
    sockets.push(EndpointSocket.listen(b, PORT))
    const first = await dial()
    const before = await source.drain()
    // This namespace, in which the test runs, tracks nothing of the pair's.
    assert.deepEqual(await trackedOf(before), [Tracked.untracked])
    first.set('linger', 0).close()
    sockets.push(await dial())
    assert.deepEqual(
      await trackedOf(before),
      [Tracked.gone],
      'another connection has its ports, and no drain was since',
    )
    const after = await source.drain()
    assert.deepEqual(await trackedOf(after), [Tracked.untracked])
    assert.deepEqual(await trackedOf(before), [Tracked.gone])
  })

  it('are about nothing that is not in the table', async () => {
    const slots = Uint32Array.of(0, 63, 64, 4_000_000_000)
    const { tracked } = await nat.lookUp(slots, Uint32Array.of(7, 0, 0, 0))
    assert.deepEqual([...tracked], [0, 0, 0, 0])
    assert.deepEqual([...(await nat.lookUp(new Uint32Array(), new Uint32Array())).tracked], [])
  })
})
