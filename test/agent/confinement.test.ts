// The agent under the seccomp profile that is shipped, and on a root file system that can't be written.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, it } from 'mocha'
import { type AgentOnPods, withAgentOnPods } from '../support/agent-on-pods.ts'
import { freePort } from '../support/collector.ts'
import { Namespaces } from '../support/namespaces.ts'
import type { PodweirProcess } from '../support/podweir-process.ts'
import { seccompFilter, systemCalls } from '../support/seccomp-filter.ts'
import { until } from '../support/until.ts'
import { inventoryOf, podIn } from './agent-folder.ts'

const PROFILE = new URL('../../deploy/seccomp/podweir.json', import.meta.url)
const UNDER_SECCOMP = fileURLToPath(new URL('../../build/Release/podweir-under-seccomp', import.meta.url))
const run = promisify(execFile)

const PINS = `/sys/fs/bpf/podweir-test-${process.pid}`
const EPERM = 1
const PTRACE_TRACEME = 0
const CLONE_NEWNET = 0x40000000
const AF_PACKET = 17
const SOCK_RAW = 3

let node: AgentOnPods

function sealed(): string[] {
  const filter = join(node.folder.path, 'filter')
  writeFileSync(filter, seccompFilter(JSON.parse(readFileSync(PROFILE, 'utf8'))))
  return [UNDER_SECCOMP, filter]
}

const inventory = () => inventoryOf(...node.pods.map(({ namespace }, i) => podIn(`pod-${i}`, namespace)))

async function assertCountsAndEnds(agent: PodweirProcess): Promise<void> {
  await node.assertCounts(50)
  await until('exported', () => existsSync(join(node.folder.path, 'metrics.jsonl')))
  assert.equal((await agent.end('SIGTERM')).code, 0)
  assert.equal(existsSync(PINS), false)
  assert.deepEqual(
    agent.log.filter(({ level }) => level === 'error'),
    [],
  )
  assert.match(readFileSync(join(node.folder.path, 'metrics.jsonl'), 'utf8'), /podweir\.pod\.network/)
}

describe('confined', function () {
  this.timeout(60_000)

  withAgentOnPods(made => {
    node = made
  })

  it('by the seccomp profile the agent counts, exports, reads its inventory again and follows pods', async () => {
    const agent = await node.folder.started(
      { inventory: inventory(), receiver: { modules: { drops: 'on', dns: 'on', conntrack: 'on' }, pins: PINS } },
      { through: sealed() },
    )
    assert.match(readFileSync(`/proc/${agent.pid}/status`, 'utf8'), /^Seccomp:\t2$/m)
    const others = new Namespaces(`pwc${process.pid}`)
    try {
      const { a } = await others.createPair()
      node.folder.write('inventory.yaml', `${inventory()}${podIn('late', a)}\n`)
      await until('attached to the third', async () => (await node.folder.status()).interfaces.length === 3)
      await assertCountsAndEnds(agent)
    } finally {
      await others.remove()
    }
  })

  it('by the seccomp profile to an exporter of a Collector, an outage included', async () => {
    const port = await freePort()
    const agent = await node.folder.started(
      { inventory: inventory(), otlp: `http://127.0.0.1:${port}` },
      { through: sealed() },
    )
    await agent.logged(/refused the connection/)
    assert.equal((await agent.end('SIGTERM')).code, 0)
  })

  for (const [what, call, ...args] of [
    ['ptrace', 'ptrace', PTRACE_TRACEME],
    ['mount', 'mount'],
    ['new namespace', 'unshare', CLONE_NEWNET],
    ['other system call of the kernel’s than those listed', 'io_uring_setup', 8],
    ['packet socket', 'socket', AF_PACKET, SOCK_RAW],
  ] as const)
    it(`by the seccomp profile: no ${what}`, async () => {
      const [program, ...filter] = sealed()
      const number = systemCalls().get(call)
      const { stdout } = await run(program!, [...filter, '--call', ...[number, ...args].map(String)])
      assert.equal(stdout, `errno ${EPERM}\n`)
    })

  it('to a root file system that is read-only but for what it writes', async () => {
    const script = `mount --bind ${node.folder.path} ${node.folder.path} && mount -o remount,bind,ro / && exec "$@"`
    const through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh']
    const agent = await node.folder.started({ inventory: inventory(), receiver: { pins: PINS } }, { through })
    assert.match(mountsOf(agent.pid), /^\S+ \/ \S+ ro\b/m)
    await assertCountsAndEnds(agent)
  })
})

const mountsOf = (pid: number) => readFileSync(`/proc/${pid}/mounts`, 'utf8')
