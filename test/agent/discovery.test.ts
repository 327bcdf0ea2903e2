// The agent without an inventory: pods and containers are found by their processes, and go by their ids.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { ipBatch } from '../../lib/demo/iproute.ts'
import type { StatusRecord } from '../../lib/signals/flow-record.ts'
import { CgroupProcess, hasCgroups } from '../support/cgroup-process.ts'
import { Namespaces, type Pod } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'
import { AgentFolder } from './agent-folder.ts'

const UID = '4f0c1a2b-3d4e-5f60-7182-93a4b5c6d7e8'
const SANDBOX = '0123456789abcdef'.repeat(4)
const CONTAINER = 'fedcba9876543210'.repeat(4)
const APPEARS_MS = 8_000

describe('the agent without an inventory', function () {
  this.timeout(60_000)
  const namespaces = new Namespaces()
  const processes: CgroupProcess[] = []
  let folder: AgentFolder
  let one: Pod
  let two: Pod

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    if (!hasCgroups) skip(this, 'needs cgroup v2')
    ;[one, two] = (await namespaces.createPods(2)) as [Pod, Pod]
  })
  beforeEach(() => {
    folder = new AgentFolder()
  })
  afterEach(async () => {
    await folder?.remove()
    for (const each of processes.splice(0)) await each.end()
  })
  after(() => namespaces.remove())

  async function run(pod: Pod, path: string): Promise<CgroupProcess> {
    const started = await CgroupProcess.start(pod.namespace.path, path)
    processes.push(started)
    return started
  }

  const start = () => folder.started({ receiver: { inventory: undefined } })

  /** Of the test's own namespaces: what each attached interface belongs to. */
  const attached = ({ interfaces }: StatusRecord) =>
    interfaces.filter(({ state }) => state === 'attached').map(({ pod, device }) => `${pod} ${device}`)

  async function settles(what: string, ...expected: readonly string[]): Promise<void> {
    let now: string[] = []
    const holds = async () => {
      now = attached(await folder.status())
      return expected.every(each => now.includes(each))
    }
    await until(() => `${what}: ${now.join(', ')}`, holds, { limitMs: APPEARS_MS })
  }

  it('calls a pod by its uid, a container by its id, and what is neither by the name of its namespace', async () => {
    await run(one, `kubepods.slice/kubepods-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-${SANDBOX}.scope`)
    await start()
    await settles('the pod and the namespace', `${UID} eth0`, `${two.namespace.name} eth0`)
    await run(two, `system.slice/docker-${CONTAINER}.scope`)
    await settles('the pod and the container', `${UID} eth0`, `${CONTAINER.slice(0, 12)} eth0`)
  })

  it('observes of a pod the way to the node alone', async () => {
    const { name } = one.namespace
    await ipBatch(['link add inner type veth peer name inner-peer', 'link add br0 type bridge'], name)
    await run(one, `kubepods/pod${UID}/${SANDBOX}`)
    try {
      await start()
      await settles('the pod', `${UID} eth0`)
      const its = attached(await folder.status()).filter(each => each.startsWith(UID))
      assert.deepEqual(its, [`${UID} eth0`])
    } finally {
      await ipBatch(['link del inner', 'link del br0'], name)
    }
  })

  it('finds a container whose namespace has no name, and lets it go with its last process', async () => {
    const name = `${one.namespace.name}-none`
    await ipBatch([`netns add ${name}`])
    const container = await CgroupProcess.start(`/run/netns/${name}`, `docker/${CONTAINER}`)
    processes.push(container)
    await ipBatch([`link add pwdisc0 type veth peer name eth0 netns ${container.pid}`, `netns del ${name}`])
    const agent = await start()
    await settles('the container', `${CONTAINER.slice(0, 12)} eth0`)
    assert.deepEqual(agent.messages(/fail/), [])
    await container.end()
    await until('it is let go', async () => !attached(await folder.status()).some(each => each.startsWith('fedc')), {
      limitMs: APPEARS_MS,
    })
  })
})
