// The window scale is read from a SYN's options, wherever they have it: with it a reset is told from a stray one.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { ConnectionState } from '../../lib/capture/flow-batch.ts'
import { patched, tcp } from '../support/packet.ts'
import { CountedInterface } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const out = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 40_000, destinationPort: 80 }
const back = { from: '10.0.0.2', to: '10.0.0.1', sourcePort: 80, destinationPort: 40_000 }
const CHECKSUM = 50
const WINDOW = 100
const SHIFT = 7

describe('a window scale', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let counted: CountedInterface

  beforeEach(async () => {
    counted = await CountedInterface.open(network.one)
  })
  afterEach(() => counted?.close())

  /** The pod's SYN has these options; then the peer resets so far behind the last byte that it sent. */
  async function stateAfterReset(optionsHex: string, beyond: number): Promise<number> {
    const tcpOptionBytes = Buffer.from(optionsHex, 'hex')
    const syn = tcp({ ...out, flags: 'S', sequence: 1000, window: WINDOW, tcpOptionBytes })
    counted.send(patched(syn, CHECKSUM, 0x9a, 0x5c))
    counted.receive(
      tcp({ ...back, flags: 'SA', sequence: 9000, acknowledgment: 1001, tcpOptionBytes: Uint8Array.of(3, 3, 1, 0) }),
    )
    counted.send(tcp({ ...out, sequence: 1001, acknowledgment: 9001, window: WINDOW }))
    counted.receive(tcp({ ...back, flags: 'R', sequence: 9001 + beyond }))
    return (await counted.drain()).flows.state[0]!
  }

  for (const [system, options] of [
    ['Linux', `020405b40402080a00000001000000000103030${SHIFT}`],
    ['Windows', `020405b40103030${SHIFT}01010402`],
    ['nobody, with ten options', `01010101010101010103030${SHIFT}00000000`],
  ] as const)
    it(`is found where ${system} has it`, async () => {
      const inside = (WINDOW << SHIFT) - 1
      assert.equal(await stateAfterReset(options, inside), ConnectionState.resetByRemote)
    })

  it('ends where the window does', async () => {
    const outside = (WINDOW << SHIFT) + 1
    assert.equal(await stateAfterReset(`0103030${SHIFT}`, outside), ConnectionState.established)
  })

  it('is 0 without the option', async () => {
    assert.equal(await stateAfterReset('020405b4', WINDOW + 1), ConnectionState.established)
  })

  it('is at most 14, as RFC 7323 wants it', async () => {
    assert.equal(await stateAfterReset('010303ff', (WINDOW << 14) - 1), ConnectionState.resetByRemote)
  })
})
