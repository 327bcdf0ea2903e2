// What the agent may do: each row of docs/privileges.md runs with exactly its capabilities, names what is missing with one
// less, and keeps no more of what it was started with.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { type AgentOnPods, withAgentOnPods } from '../support/agent-on-pods.ts'
import type { ProcessOptions } from '../support/podweir-process.ts'
import { until } from '../support/until.ts'
import { inventoryOf, podIn, podLine, type Settings } from './agent-folder.ts'

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

/** `bounding`: what it was started with where it may not let go of that; no_new_privs makes it harmless. */
function assertThreads(
  pid: number,
  process: readonly Name[],
  entering: readonly Name[],
  bounding: readonly Name[] = [],
): void {
  const threads = threadsOf(pid)
  assert.ok(threads.length > 5, 'Node, libuv, V8 and the addon have threads')
  assert.equal(threads.filter(({ name }) => name === ENTERING).length, 1)
  for (const { name, noNewPrivs, sets } of threads) {
    const kept = setOf(name === ENTERING ? [...process, ...entering] : process)
    const expected = { CapInh: 0n, CapPrm: kept, CapEff: kept, CapBnd: setOf(bounding), CapAmb: 0n }
    assert.deepEqual({ name, noNewPrivs, ...sets }, { name, noNewPrivs: true, ...expected })
  }
}

interface Row {
  readonly mode: string
  readonly process: readonly Name[]
  readonly entering: readonly Name[]
  readonly receiver: Readonly<Record<string, unknown>>
}

/** Of docs/privileges.md. */
const ROWS: readonly Row[] = [
  { mode: 'standard', process: STANDARD, entering: ['sys_admin'], receiver: {} },
  { mode: 'restricted', process: BOTH, entering: [], receiver: { attach: 'host' } },
  {
    mode: 'standard with the module drops',
    process: [...STANDARD, 'perfmon'],
    entering: ['sys_admin'],
    receiver: { modules: { drops: 'on' } },
  },
  {
    mode: 'restricted with the module drops',
    process: [...BOTH, 'perfmon'],
    entering: [],
    receiver: { attach: 'host', modules: { drops: 'on' } },
  },
]

/** The modules dns and conntrack need no more than their mode has: docs/dns.md, docs/nat.md. */
const FREE_ROWS: readonly Row[] = ROWS.slice(0, 2).map(row => ({
  ...row,
  mode: `${row.mode} with the modules dns and conntrack`,
  receiver: { ...row.receiver, modules: { dns: 'on', conntrack: 'on' } },
}))

let node: AgentOnPods

/** The pods' own ends, or those in our namespace. */
function settingsOf({ receiver }: Pick<Row, 'receiver'>): Settings {
  const lines = node.pods.map(({ namespace, hostDevice }, i) =>
    receiver.attach === 'host' ? podLine(`pod-${i}`, { device: hostDevice }) : podIn(`pod-${i}`, namespace),
  )
  return { inventory: inventoryOf(...lines), receiver }
}

describe('privileges', function () {
  this.timeout(90_000)

  withAgentOnPods(made => {
    node = made
  })

  it('are those of docs/privileges.md, row by row', () => {
    const page = readFileSync(new URL('../../docs/privileges.md', import.meta.url), 'utf8')
    const columns = [...BOTH, 'sys_ptrace', 'sys_admin', 'perfmon'] as const
    const described = ROWS.map(({ mode, process, entering }) => {
      const cells = columns.map(name =>
        process.includes(name) ? 'all threads' : entering.includes(name) ? 'one thread' : '-',
      )
      return `| ${[mode, ...cells].join(' | ')} |`
    })
    assert.deepEqual(page.match(/^\| (standard|restricted)[\w ]* \|( (all threads|one thread|-) \|){5}$/gm), described)
  })

  it('are let go of by every thread of an agent that has them all', async () => {
    const agent = await node.folder.started(settingsOf(ROWS[0]!))
    assertThreads(agent.pid, STANDARD, ['sys_admin'])
    // After it has read the inventory again, in a process of its own, and made more threads.
    node.folder.write('inventory.yaml', `${settingsOf(ROWS[0]!).inventory}# changed\n`)
    await agent.logged(/^inventory .*: read again$/)
    assertThreads(agent.pid, STANDARD, ['sys_admin'])
  })

  for (const row of FREE_ROWS)
    it(`${row.mode}: no more are needed`, async () => {
      const all = [...row.process, ...row.entering]
      const agent = await node.folder.started(settingsOf(row), withOnly(...all))
      assertThreads(agent.pid, row.process, row.entering, all)
      assert.deepEqual(agent.messages(/missing|module (dns|conntrack)/), [])
      await node.assertCounts(20)
      assert.equal((await agent.end('SIGTERM')).code, 0)
    })

  for (const row of ROWS) {
    const all = [...row.process, ...row.entering]

    it(`${row.mode}: ${all.join(', ')} are enough`, async () => {
      const agent = await node.folder.started(settingsOf(row), withOnly(...all))
      assertThreads(agent.pid, row.process, row.entering, all)
      assert.deepEqual(agent.messages(/missing/), [])
      assert.equal((await node.folder.status()).interfaces.filter(({ state }) => state === 'attached').length, 2)
      await node.assertCounts(20)
      assert.equal((await agent.end('SIGTERM')).code, 0)
    })

    for (const less of all)
      it(`${row.mode}: the agent names ${less} when it is missing`, async () => {
        const agent = node.folder.start(settingsOf(row), withOnly(...all.filter(name => name !== less)))
        const told = RegExp(`missing:? [A-Z_, ]*CAP_${less.toUpperCase()}\\b`)
        let said = ''
        agent.ended.then(({ stderr }) => {
          said = stderr
        })
        await until(
          () => `${told}:\n${agent.messages(/./).join('\n')}\n${said}`,
          () => told.test(said) || agent.messages(told).length > 0,
        )
      })
  }
})
