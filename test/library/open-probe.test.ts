// A probe in another program's hands: loops over it, and their ends.
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { Probe } from '../../lib/library/open-probe.ts'
import { PretendSource } from '../support/pretend-source.ts'

describe('a probe', () => {
  let source: PretendSource
  let placesLeft: number
  let probe: Probe

  beforeEach(() => {
    source = new PretendSource()
    placesLeft = 0
    probe = new Probe(source, () => placesLeft++)
  })

  it('yields batch after batch until the signal comes, and then ends without an error', async () => {
    const stop = new AbortController()
    const sequences: number[] = []
    for await (const { sequence } of probe.batches({ everyMs: 1, signal: stop.signal }))
      if (sequences.push(sequence) === 3) stop.abort()
    assert.deepEqual(sequences, [1, 2, 3])
  })

  it('lets nobody else read while a loop does, since a batch is read once', async () => {
    for await (const _ of probe.batches({ everyMs: 1 })) {
      await assert.rejects(probe.drain(), /read drain\(\): batches\(\) or flows\(\) is reading; use one loop/)
      await assert.rejects(probe.batches().next(), /another loop is reading/)
      break
    }
    assert.equal((await probe.drain()).sequence, 2)
  })

  it('ends a loop when it is closed, and leaves its place to others once', async () => {
    for await (const _ of probe.batches({ everyMs: 1 })) void probe.close()
    await probe.close()
    assert.ok(source.closed)
    assert.equal(placesLeft, 1)
  })

  it('is closed at the end of the block that it was made for', async () => {
    {
      await using _ = probe
    }
    assert.ok(source.closed)
  })
})
