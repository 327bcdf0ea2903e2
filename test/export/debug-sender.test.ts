import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, it } from 'mocha'
import { DebugSender } from '../../lib/export/debug-sender.ts'

const request = { signal: 'metrics', body: Buffer.from('a{} 1 By\n'), items: 1 } as const

describe('debug sender', () => {
  it('writes requests as they are', async () => {
    const out = new PassThrough()
    const sender = new DebugSender(out)
    assert.deepEqual(await sender.send(request), { kind: 'delivered', rejected: 0 })
    await sender.send(request)
    assert.equal(await text(out.end()), 'a{} 1 By\na{} 1 By\n')
  })

  it('reports a reader that is gone', async () => {
    const out = new PassThrough()
    out.on('error', () => {})
    out.destroy()
    assert.equal((await new DebugSender(out).send(request)).kind, 'retry')
  })
})
