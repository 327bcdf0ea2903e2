// Before the first and after the last test of a whole run: namespaces, links, qdiscs, filters, programs, pins and
// processes must be the same. A difference is a failure of the run.
import assert from 'node:assert/strict'
import type { Context } from 'mocha'
import { differencesSince, snapshotHost } from './host-snapshot.ts'

let before: string[] = []

export const mochaHooks = {
  async beforeAll() {
    before = await snapshotHost()
  },
  async afterAll(this: Context) {
    this.timeout(30_000)
    assert.deepEqual(await differencesSince(before), [], 'the tests left something behind')
  },
}
