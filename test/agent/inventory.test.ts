// The agent and its inventory while both change: interfaces that come, go and are renamed, and a file that turns bad.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { ipBatch } from '../../lib/demo/iproute.ts'
import type { FlowRecord, InterfaceRecord, StatusRecord } from '../../lib/signals/flow-record.ts'
import { heldBy } from '../support/bpf-objects.ts'
import { Namespaces, type Pod, type TestNamespace } from '../support/namespaces.ts'
import { PodweirProcess } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'
import { AgentFolder, inventoryOf, podIn, podLine } from './agent-folder.ts'

/** An interface is looked for every 5 s. */
const APPEARS_MS = 6_000
const POLL_MS = 50

let folder: AgentFolder
let namespaces: Namespaces
let one: Pod
let two: Pod

async function until(
  what: string,
  holds: (status: StatusRecord) => boolean,
  limitMs = APPEARS_MS,
): Promise<StatusRecord> {
  let status = await folder.status()
  for (let waitedMs = 0; !holds(status); waitedMs += POLL_MS) {
    if (waitedMs > limitMs) throw new Error(`${what}: not in ${limitMs} ms: ${JSON.stringify(status)}`)
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
    status = await folder.status()
  }
  return status
}

const states = ({ interfaces }: StatusRecord) => interfaces.map(({ pod, state }) => `${pod} ${state}`)
const seen = ({ ledger }: StatusRecord) => ledger.skbs.seen

/** What `podweir flows` shows. */
async function flows(): Promise<FlowRecord[]> {
  const { code, stdout, stderr } = await new PodweirProcess(['flows', '--socket', folder.socket, '-o', 'jsonl']).end()
  assert.equal(code, 0, stderr)
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

async function ping(from: TestNamespace, to: TestNamespace, count: number): Promise<void> {
  await from.traffic('ping', '--to', to.addresses.v4, '--count', count)
}

describe('the agent’s inventory', function () {
  this.timeout(30_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    ;[one, two] = (await namespaces.createPods(2)) as [Pod, Pod]
  })
  beforeEach(() => {
    folder = new AgentFolder()
  })
  afterEach(() => folder?.remove())
  after(() => namespaces?.remove())

  it('may name what is not there yet: the log has place, cause and remedy, and says when it is attached', async () => {
    const name = `${one.namespace.name}-late`
    const inventory = inventoryOf(podIn('here', one.namespace), podLine('late', { netns: name, device: 'eth0' }))
    const agent = await folder.started({ inventory })
    const [warning, ...more] = agent.messages(/late/)
    assert.deepEqual(more, [])
    assert.match(warning!, /^attach test\/late \(.*inventory\.yaml:3:\d+\): open namespace .*late: No such file or dir/)
    assert.match(warning!, /check .*\(ip netns, ip link\); it will be attached when it appears$/)
    assert.deepEqual(states(await folder.status()), ['test/here attached', 'test/late wanted'])
    try {
      await ipBatch([`netns add ${name}`])
      await ipBatch(['link add eth0 type veth peer name peer'], name)
      await agent.logged(/^attach test\/late .*: attached to eth0$/, APPEARS_MS)
      assert.deepEqual(states(await folder.status()), ['test/here attached', 'test/late attached'])
    } finally {
      await ipBatch([`netns del ${name}`])
    }
  })

  it('is read again when it changes: names follow, attachments stay, and so do their counts', async () => {
    const agent = await folder.started({ inventory: inventoryOf(podIn('before', one.namespace)) })
    await ping(one.namespace, two.namespace, 3)
    const { programs, links } = heldBy(agent.pid)
    await until('6 skbs', status => seen(status) === 6)
    folder.write('inventory.yaml', inventoryOf('# moved down', podIn('after', one.namespace)))
    await until('the new name', ({ interfaces }) => interfaces.every(({ pod }) => pod === 'test/after'))
    await ping(one.namespace, two.namespace, 2)
    const { interfaces } = await until('10 skbs', status => seen(status) === 10)
    assert.equal(interfaces.length, 1)
    const sources = new Set((await flows()).map(({ source }) => `${source.namespace}/${source.pod}`))
    assert.deepEqual([...sources], ['test/after'])
    assert.deepEqual(heldBy(agent.pid), { ...heldBy(agent.pid), programs, links })
  })

  it('that turns bad is refused with its place, and the one from before stays', async () => {
    const agent = await folder.started({ inventory: inventoryOf(podIn('good', one.namespace)) })
    folder.write('inventory.yaml', inventoryOf(podIn('other', one.namespace), '  - { namespace: test, nom: bad }'))
    const { msg, level } = await agent.logged(/inventory\.yaml:3:/)
    assert.equal(level, 'error')
    assert.match(msg, /inventory\.yaml:3:\d+: pods\[1\]\.nom: unknown key/)
    assert.match(msg, /the inventory from before stays in use$/)
    await ping(one.namespace, two.namespace, 1)
    assert.deepEqual(states(await until('2 skbs', status => seen(status) === 2)), ['test/good attached'])
    folder.write('inventory.yaml', inventoryOf(podIn('mended', one.namespace)))
    await until('the mended one', status => states(status).join() === 'test/mended attached')
  })

  it('may lose a pod, whose interface is let go', async () => {
    const inventory = inventoryOf(podIn('one', one.namespace), podIn('two', two.namespace))
    const agent = await folder.started({ inventory })
    assert.equal(heldBy(agent.pid).links.length, 4)
    folder.write('inventory.yaml', inventoryOf(podIn('one', one.namespace)))
    await until('one interface', status => states(status).join() === 'test/one attached')
    for (let i = 0; i < 100 && heldBy(agent.pid).links.length > 2; i++)
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    assert.equal(heldBy(agent.pid).links.length, 2)
  })

  it('counts a pair once that it names by both ends, and says so', async () => {
    const line = podLine('one', { netns: one.namespace.path, device: 'eth0' }, { device: one.hostDevice })
    const agent = await folder.started({ inventory: inventoryOf(line) })
    assert.equal(heldBy(agent.pid).links.length, 2)
    const [message] = agent.messages(/second time/)
    assert.match(message!, /eth0: it is attached already, for test\/one .*; name one end of each pair/)
    await ping(one.namespace, two.namespace, 3)
    await until('6 skbs', status => seen(status) === 6)
  })

  for (const hook of ['tcx', 'clsact'] as const)
    it(`by ${hook} follows a namespace that was made anew under its name, with the same address`, async () => {
      const { a, b } = await namespaces.createPair()
      await folder.started({ inventory: inventoryOf(podIn('pod', a)), receiver: { hook } })
      await ping(a, b, 2)
      const { interfaces } = await until('4 skbs', status => seen(status) === 4)
      const ends = [a, b].map(({ name, addresses }) => `name eth0 netns ${name} address ${addresses.mac}`)
      // A namespace's devices go a moment after its name: here at once.
      await a.ip('link del eth0')
      await ipBatch([`netns del ${a.name}`])
      await ipBatch([`netns add ${a.name}`, `link add ${ends[1]} index 100 type veth peer ${ends[0]}`])
      const [self, other] = [a.addresses, b.addresses]
      const isNew = ({ state, since }: InterfaceRecord) => state === 'attached' && since !== interfaces[0]?.since
      await until('attached anew', status => status.interfaces.some(isNew))
      await a.ip(
        `address add ${self.v4}/24 dev eth0`,
        'link set eth0 up',
        `neighbour add ${other.v4} lladdr ${other.mac} dev eth0 nud permanent`,
      )
      await b.ip('link set eth0 up')
      const before = (await a.device()).transmitPackets
      await a.traffic('raw', '--device', 'eth0', '--count', 7, '--mac', other.mac)
      const sent = (await a.device()).transmitPackets
      assert.ok(sent >= before + 7)
      await until(
        'the new device’s skbs',
        ({ ledger }) => ledger.skbs.seen === ledger.skbs.device && ledger.skbs.seen >= 11,
      )
    })
})
