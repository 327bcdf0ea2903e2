// The namespace of a suite: a pair of devices on which nothing moves, so that only built packets are counted.
import { after, before } from 'mocha'
import { Namespaces } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'

export interface IdleNetwork {
  /** Path of a namespace with an `eth0`; there are two of them. */
  readonly one: string
  readonly other: string
}

/** To be called in a suite's body; the paths are there from its `before` on. */
export function idleNetwork(): IdleNetwork {
  const namespaces = new Namespaces()
  const paths = { one: '', other: '' }
  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    const { a, b } = await namespaces.createPair()
    paths.one = a.path
    paths.other = b.path
  })
  after(() => namespaces.remove())
  return paths
}
