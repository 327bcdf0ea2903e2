// What the agent may do: each row of docs/privileges.md runs with exactly its capabilities, names what is missing with one
// less, and keeps no more of what it was started with.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import type { PodweirProcess, ProcessOptions } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'
import { AgentFolder, inventoryOf, podIn, podLine } from './agent-folder.ts'

const NUMBERS = { net_admin: 12, sys_ptrace: 19, sys_admin: 21, perfmon: 38, bpf: 39 }
type Name = keyof typeof NUMBERS

const BOTH: Name[] = ['bpf', 'net_admin']
const STANDARD: Name[] = [...BOTH, 'sys_ptrace']
const ENTERING = 'podweir-netns'

/** A process of root with these capabilities and no way to others. */
function withOnly(...names: readonly Name[]): ProcessOptions {
  const kept = ['-all', ...names.map(name => `+${name}`)].join(',')
  return { through: ['setpriv', `--bounding-set=${kept}`, '--inh-caps=-all'] }
}

function setOf(names: readonly Name[]): bigint {
  return names.reduce((set, name) => set | (1n << BigInt(NUMBERS[name])), 0n)
}

interface Thread {
  readonly name: string
  readonly noNewPrivs: boolean
  /** CapInh, CapPrm, CapEff, CapBnd and CapAmb of its status. */
  readonly sets: Readonly<Record<string, bigint>>
}

function threadsOf(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).map(id => {
    const status = readFileSync(`/proc/${pid}/task/${id}/status`, 'utf8')
    const sets = [...status.matchAll(/^(Cap\w+):\t(\w+)$/gm)].map(([, set, bits]) => [set!, BigInt(`0x${bits}`)])
    const name = /^Name:\t(.*)$/m.exec(status)![1]!
    return { name, noNewPrivs: /^NoNewPrivs:\t1$/m.test(status), sets: Object.fromEntries(sets) }
  })
}

function assertThreads(pid: number, process: readonly Name[], entering: readonly Name[]): void {
  const threads = threadsOf(pid)
  assert.ok(threads.length > 5, 'Node, libuv, V8 and the addon have threads')
  assert.equal(threads.filter(({ name }) => name === ENTERING).length, 1)
  for (const { name, noNewPrivs, sets } of threads) {
    const kept = setOf(name === ENTERING ? [...process, ...entering] : process)
    const expected = { CapInh: 0n, CapPrm: kept, CapEff: kept, CapBnd: sets.CapBnd === 0n ? 0n : kept, CapAmb: 0n }
    assert.deepEqual({ name, noNewPrivs, ...sets }, { name, noNewPrivs: true, ...expected })
  }
}

let folder: AgentFolder
let namespaces: Namespaces
let a: TestNamespace
let b: TestNamespace

/** Sends from a to b and waits until the agent has counted it all. */
async function assertCounts(pods: number): Promise<void> {
  await b.serve('udp-sink', '--port', 7_000)
  await a.traffic('udp', '--to', b.addresses.v4, '--port', 7_000, '--count', 20)
  await until(async () => (await folder.status()).interfaces.length === pods)
}

const podEnds = () => inventoryOf(podIn('a', a), podIn('b', b))

describe('privileges', function () {
  this.timeout(60_000)

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

  it('are let go of by every thread', async () => {
    const agent = await folder.started({ inventory: podEnds() })
    assertThreads(agent.pid, STANDARD, ['sys_admin'])
    assert.equal((await folder.status()).interfaces.length, 2)
  })
})
