// The corpus and its neighbours through real devices: what was sent, what the devices counted and what we did agree.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { sendFrames } from '../support/kernel.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import type { Case } from './corpus/case.ts'
import { type Direction, FlowRows, FlowSums } from './corpus/flow-sums.ts'
import { arriving, countedTotals, expectedFlows, expectedTotals, frameOf, isSendable } from './corpus/passage.ts'
import { groups } from './corpus.ts'

const LARGEST_BYTES = 9000
const FRAMES_A_CALL = 10_000
const TRIES = 100

describe('the corpus over a veth', function () {
  this.timeout(300_000)
  const namespaces = new Namespaces()
  const rows = new FlowRows()
  let ends: { a: TestNamespace; b: TestNamespace }
  let source: NativeProbeSource
  let interfaceSlot: number
  let sent: Case[]

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    ends = await namespaces.createPair()
    await Promise.all([ends.a, ends.b].map(end => end.ip(`link set eth0 mtu ${LARGEST_BYTES}`)))
    source = await NativeProbeSource.open({ flowLimit: 1 << 18, retire: RETIRE_TIMES, auditEvery: 0 })
    const attached = await source.attach({ netns: ends.a.path, device: 'eth0', place: 'pod', hook: 'auto' })
    interfaceSlot = attached.interfaceSlot
    sent = [...groups()].flatMap(({ members }) => members).filter(isSendable)
  })
  after(async () => {
    await source?.close()
    await namespaces.remove()
  })

  /** Everything out of one end; the kernel must take it all. */
  function sendAll(from: TestNamespace): void {
    for (let at = 0; at < sent.length; at += FRAMES_A_CALL) {
      const part = sent.slice(at, at + FRAMES_A_CALL)
      const errors = sendFrames({ netns: from.path, device: 'eth0' }, part.map(frameOf))
      assert.deepEqual(
        part.flatMap(({ name }, i) => (errors[i] === 0 ? [] : [`${name}: ${errors[i]}`])),
        [],
      )
    }
  }

  async function assertCounted(direction: Direction): Promise<void> {
    const expected = arriving(sent, direction)
    const flows = new FlowSums()
    for (let tries = 0; tries < TRIES; tries++) {
      const batch = await source.drain()
      rows.addTo(flows, batch)
      const totals = countedTotals(batch, interfaceSlot, direction)
      if (totals.skbs < expected.length && tries < TRIES - 1) {
        await sleep(50)
        continue
      }
      assert.deepEqual(totals, expectedTotals(expected))
      break
    }
    flows.assertSame(expectedFlows(expected, direction), 'flows')
  }

  /** Whoever received it drops what no protocol wants, behind our hook: that is no fault of the pair. */
  async function assertDevices(from: TestNamespace, to: TestNamespace): Promise<void> {
    const bytes = sent.reduce((sum, each) => sum + each.bytes.length, 0)
    const { transmitPackets, transmitBytes, transmitDropped } = await from.device()
    const { receivePackets, receiveBytes } = await to.device()
    assert.deepEqual([transmitPackets, transmitBytes, transmitDropped], [sent.length, bytes, 0])
    assert.deepEqual([receivePackets, receiveBytes], [sent.length, bytes])
  }

  it('leaves a pod as it is sent', async () => {
    sendAll(ends.a)
    await assertCounted('fromPod')
    await assertDevices(ends.a, ends.b)
  })

  it('comes to a pod as it is sent', async () => {
    sendAll(ends.b)
    await assertCounted('toPod')
    await assertDevices(ends.b, ends.a)
  })
})
