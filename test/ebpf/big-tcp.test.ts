// BIG TCP on real devices: super-packets beyond 64 KiB, whose IP headers have no room for their length.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { interfaceRow } from '../addon/interface-row.ts'
import { quiesce } from '../support/counters.ts'
import { Namespaces, type WireHop } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'

const LARGEST_BYTES = 180_000
const SENT_BYTES = 50_000_000

describe('BIG TCP', function () {
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

  /** False: this kernel, or this `ip`, knows no larger ones. */
  async function allow(option: 'gso_max_size' | 'gso_ipv4_max_size'): Promise<boolean> {
    const set = (device: string) => `link set ${device} ${option} ${LARGEST_BYTES}`
    try {
      await hop.a.ip(set('eth0'))
      await hop.middle.ip(...['port', 'bridge', 'hop'].map(set))
      return true
    } catch {
      return false
    }
  }

  for (const [family, option] of [
    [6, 'gso_max_size'],
    [4, 'gso_ipv4_max_size'],
  ] as const)
    it(`over IPv${family} counts as the packets that cross a wire`, async function () {
      if (!(await allow(option))) skip(this, `ip link set ${option} is refused here`)
      const { interfaceSlot } = await source.attach({ netns: hop.a.path, device: 'eth0', place: 'pod', hook: 'auto' })
      await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
      const to = family === 6 ? hop.b.addresses.v6 : hop.b.addresses.v4
      await hop.a.traffic('tcp-bulk', '--to', to, '--port', 5001, '--bytes', SENT_BYTES)
      await quiesce([hop.a.name, hop.b.name, hop.middle.name])
      const { fromPod } = interfaceRow(await source.drain(), interfaceSlot)!
      const wire = await hop.wire()
      assert.ok(fromPod.skbBytes / fromPod.skbs > 65_536, 'no super-packet is larger than 64 KiB')
      assert.deepEqual(
        [fromPod.seenPackets, fromPod.seenBytes, fromPod.otherPackets],
        [wire.transmitPackets, wire.transmitBytes, 0],
      )
    })
})
