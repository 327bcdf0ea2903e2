// A real tunnel: the kernel's own VXLAN device puts super-packets of TCP inside super-packets of UDP.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { quiesce } from '../support/counters.ts'
import { Namespaces, type TestNamespace, type WireHop } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { countedTotals } from './corpus/passage.ts'
import { startedRows } from './counted-interface.ts'

const SENT_BYTES = 20_000_000
const VXLAN_PORT = 4789
const UDP = 17

const inside = {
  a: { v4: '10.88.0.1', v6: 'fd88::1', mac: '02:88:00:00:00:01' },
  b: { v4: '10.88.0.2', v6: 'fd88::2', mac: '02:88:00:00:00:02' },
}

describe('a VXLAN device', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let hop: WireHop
  let source: NativeProbeSource

  beforeEach(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    hop = await namespaces.wireHop({ ipv6: true })
    source = await NativeProbeSource.open({ flowLimit: 1024, retire: RETIRE_TIMES, auditEvery: 0 })
  })
  afterEach(async () => {
    await source?.close()
    await namespaces?.remove()
  })

  async function addTunnel(end: TestNamespace, own: keyof typeof inside, family: 'v4' | 'v6', remote: string) {
    const [here, there] = own === 'a' ? [inside.a, inside.b] : [inside.b, inside.a]
    await end.ip(
      `link add vx0 address ${here.mac} type vxlan id 5 local ${end.addresses[family]} remote ${remote} dstport ${VXLAN_PORT} dev eth0 nolearning`,
      'link set vx0 arp off',
      `address add ${here.v4}/24 dev vx0`,
      `address add ${here.v6}/64 dev vx0 nodad`,
      'link set vx0 up',
      `neighbour add ${there.v4} lladdr ${there.mac} dev vx0 nud permanent`,
      `neighbour add ${there.v6} lladdr ${there.mac} dev vx0 nud permanent`,
    )
  }

  for (const [outer, inner] of [
    ['v4', 'v4'],
    ['v4', 'v6'],
    ['v6', 'v4'],
  ] as const)
    it(`with IP${inner} inside IP${outer} counts as the packets that cross a wire`, async function () {
      const remotes = { a: hop.b.addresses[outer], b: hop.a.addresses[outer] }
      try {
        await addTunnel(hop.a, 'a', outer, remotes.a)
      } catch (error) {
        if (/Unknown device type/.test(String(error))) skip(this, 'this kernel has no VXLAN')
        throw error
      }
      await addTunnel(hop.b, 'b', outer, remotes.b)
      const { interfaceSlot } = await source.attach({ netns: hop.a.path, device: 'eth0', place: 'pod', hook: 'auto' })
      await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
      await hop.a.traffic('tcp-bulk', '--to', inside.b[inner], '--port', 5001, '--bytes', SENT_BYTES)
      await quiesce([hop.a.name, hop.b.name, hop.middle.name])
      const batch = await source.drain()
      const [fromPod, toPod] = [
        countedTotals(batch, interfaceSlot, 'fromPod'),
        countedTotals(batch, interfaceSlot, 'toPod'),
      ]
      const wire = await hop.wire()
      assert.ok(fromPod.skbs < wire.transmitPackets / 4, 'no super-packets')
      assert.deepEqual(fromPod.seen, [wire.transmitPackets, wire.transmitBytes])
      assert.deepEqual(toPod.seen, [wire.receivePackets, wire.receiveBytes])
      assert.deepEqual([fromPod.classes, toPod.classes], [{}, {}])
      const flows = startedRows(batch)
      assert.ok(flows.length > 0 && flows.every(({ protocol }) => protocol === UDP), JSON.stringify(flows))
    })
})
