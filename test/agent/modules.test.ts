// What the agent says of a module that this kernel can't have, and that it counts flows all the same.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { pointAt } from '../support/btf.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { AgentFolder, inventoryOf, podIn } from './agent-folder.ts'

const TYPES = '/sys/kernel/btf/vmlinux'

let folder: AgentFolder
let namespaces: Namespaces
let a: TestNamespace
let b: TestNamespace

/** Runs a program that sees another file, or an empty one, in a file's place. */
function instead(of: string, file: string): string[] {
  return ['unshare', '--mount', 'sh', '-c', `mount --bind ${file} ${of} && exec "$@"`, 'sh']
}

async function assertGoesOnWithout(through: readonly string[], why: RegExp): Promise<void> {
  const settings = { inventory: inventoryOf(podIn('a', a), podIn('b', b)), receiver: { modules: { drops: 'on' } } }
  const agent = await folder.started(settings, { through })
  assert.match(agent.messages(/^module drops: /).join('\n'), why)
  await a.traffic('udp-send', '--to', b.addresses.v4, '--port', 9, '--count', 50)
  for (let tries = 0; tries < 100; tries++) {
    if ((await folder.status()).ledger.packets.flow >= 100) break
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  assert.ok((await folder.status()).ledger.packets.flow >= 100)
  assert.equal((await agent.end('SIGTERM')).code, 0)
}

describe('an agent that is to count drops', function () {
  this.timeout(30_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair())
  })
  beforeEach(() => {
    folder = new AgentFolder()
  })
  afterEach(() => folder?.remove())
  after(() => namespaces?.remove())

  it('goes on without, and says why, where the kernel does not show its types', async () => {
    const empty = folder.write('no-types', '')
    const why =
      /^module drops: read the kernel's tracepoint kfree_skb: .*\nthis kernel does not show its types .*; use Linux 5\.17/
    await assertGoesOnWithout(instead(TYPES, empty), why)
  })

  it('goes on without, and says why, where the tracepoint names no reason', async () => {
    // What frees a packet that was not dropped never had one: its arguments are those of kfree_skb before 5.17.
    const types = readFileSync(TYPES)
    pointAt(types, 'btf_trace_kfree_skb', 'btf_trace_consume_skb')
    const file = join(folder.path, 'types')
    writeFileSync(file, types)
    const why = /^module drops: .*\nthis kernel's tracepoint names no reason; use Linux 5\.17 or newer/
    await assertGoesOnWithout(instead(TYPES, file), why)
  })
})
