import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import type { Link, Survey } from '../../lib/capture/flow-source.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { Discovery, type Plan } from '../../lib/enrich/discovery.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import type { PodNames } from '../../lib/enrich/pod-names.ts'
import { clusterPod, ofDeployment } from '../support/cluster-objects.ts'
import { CONTAINER, inContainer, inPod, link, namespace, OTHER_UID, OWN, pairTo, survey, UID } from './surveyed.ts'
import { namesOf } from './two-nodes.ts'

const SHORT = CONTAINER.slice(0, 12)
const CNI = '/run/netns/cni-11111111-2222-3333-4444-555555555555'

/** A machine as the test says. */
class ToldMachine {
  now: Survey = survey([])
  /** Devices of every namespace. */
  inside: Link[] = []
  /** By number of namespace: of the device with index 2. */
  readonly addressesIn = new Map<number, Uint8Array>()

  survey = async () => this.now
  links = async () => this.inside
  addresses = async (id: number) => {
    const bytes = this.addressesIn.get(id)
    return bytes ? [{ index: 2, bytes }] : []
  }
}

describe('discovery', () => {
  let machine: ToldMachine
  let nowMs: number

  beforeEach(() => {
    machine = new ToldMachine()
    nowMs = 10_000
  })

  function discovery(inventoryText?: string, mode: 'auto' | 'inventory' = 'auto', ofCluster?: PodNames) {
    const inventory = inventoryText === undefined ? undefined : parseInventory(inventoryText, 'inv.yaml')
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
    const inodeOf = (path: string) => machine.now.namespaces.find(each => each.path === path)?.inode
    const names = ofCluster ?? new InventoryNames(inventory, [])
    const discovery = new Discovery({ source: machine, names, mode, nodeName: undefined, own: OWN, inodeOf, clock })
    return () => discovery.plan(inventory)
  }

  const named = ({ wanted }: Plan) =>
    wanted.map(({ identity: { pod, name }, netns, device }) => `${pod?.name ?? name} ${netns ?? device}`).sort()

  it('calls a pod by its UID, a container by its id, and what is neither by the name of its namespace', async () => {
    machine.now = survey([
      namespace(2, { path: CNI, residents: [inPod(UID, 5)] }),
      namespace(3, { path: '/proc/80/ns/net', residents: [inContainer(CONTAINER, 80)] }),
      namespace(4, { path: '/run/netns/red' }),
      namespace(5, { path: '/proc/90/ns/net' }),
    ])
    const plan = await discovery()()
    assert.deepEqual(named(plan), [`${SHORT} /proc/80/ns/net`, `${UID} ${CNI}`, 'red /run/netns/red'].sort())
    const pod = plan.wanted.find(({ netns }) => netns === CNI)!
    assert.deepEqual([pod.inode, pod.uplinks], [2, new Set([2])])
    assert.equal(plan.wanted.find(({ netns }) => netns === '/run/netns/red')!.uplinks, undefined)
  })

  for (const path of [CNI, CNI.replace('cni-', ''), CNI.replace('cni-', 'netns-'), '/run/docker/netns/4711aa22bb33'])
    it(`observes ${path} at once, and as unknown until somebody is in it`, async () => {
      const look = discovery()
      machine.now = survey([namespace(2, { path })])
      const plan = await look()
      assert.deepEqual([named(plan), plan.unsettled], [[`unknown ${path}`], true])
      machine.now = survey([namespace(2, { path, residents: [inPod(UID, 5)] })])
      const later = await look()
      assert.deepEqual([named(later), later.unsettled, later.continued], [[`${UID} ${path}`], false, later.wanted])
    })

  it('lets go first of what the namespace of the same inode, path and number was', async () => {
    const look = discovery()
    machine.now = survey([
      namespace(2, { residents: [inPod(UID, 5)] }),
      namespace(3, { residents: [inPod(OTHER_UID, 5)] }),
    ])
    await look()
    machine.now = survey([namespace(2, { cookie: 777 }), namespace(3, { residents: [inPod(OTHER_UID, 5)] })])
    const plan = await look()
    assert.deepEqual(named(plan), ['n2 /run/netns/n2', `${OTHER_UID} /run/netns/n3`].sort())
    assert.deepEqual(
      plan.continued.map(({ netns }) => netns),
      ['/run/netns/n3'],
    )
  })

  it('knows nobody where two pods are', async () => {
    machine.now = survey([namespace(2, { residents: [inPod(UID, 5), inPod(OTHER_UID, 6)] })])
    assert.deepEqual(named(await discovery()()), ['unknown /run/netns/n2'])
  })

  it('observes every interface of a pod that leads to the node', async () => {
    const pod = namespace(2, { residents: [inPod(UID, 5)] })
    const second = pairTo(2, { index: 140, peerIndex: 3 })
    const bridge = link({ index: 141, kind: 'bridge', peerNamespaceId: 2, peerIndex: 9 })
    machine.now = survey([pod], { links: [pairTo(2), second, bridge] })
    assert.deepEqual((await discovery()()).wanted[0]!.uplinks, new Set([2, 3]))
  })

  it('ignores, after a while, a pod from which nothing leads to the node, and sees when something does', async () => {
    const look = discovery()
    machine.now = survey([namespace(2, { residents: [inPod(UID, 5)] })], { links: [] })
    machine.inside = [link({ name: 'lo', loopback: true }), link({ name: 'br0', kind: 'bridge' })]
    assert.deepEqual(await look(), { wanted: [], continued: [], ignored: [], unsettled: true, young: false })
    nowMs += 2_000
    const [{ reason, owner, sinceMs } = assert.fail()] = (await look()).ignored
    assert.deepEqual([reason, owner.identity.name, sinceMs], ['no_interface', UID, 10_000])
    machine.inside.push(link({ name: 'net1', kind: 'macvlan' }))
    const plan = await look()
    assert.deepEqual([named(plan), plan.ignored], [[`${UID} /run/netns/n2`], []])
  })

  it('says of pods of the host network that they are', async () => {
    machine.now = survey([])
    const own = { ...machine.now.namespaces[0]!, residents: [inPod(UID, 5)] }
    machine.now = { ...machine.now, namespaces: [own] }
    const plan = await discovery()()
    assert.deepEqual(plan.wanted, [])
    assert.deepEqual(
      plan.ignored.map(({ reason, owner }) => [reason, owner.identity.name]),
      [['host_network', UID]],
    )
  })

  it('looks again soon for a name that no namespace is mounted on yet', async () => {
    machine.now = survey([], { namesPending: true })
    assert.equal((await discovery()()).unsettled, true)
  })

  describe('beside an inventory', () => {
    const listing = (interfaces: string) =>
      `pods: [{ namespace: shop, name: web, uid: ${UID}, interfaces: ${interfaces} }]`

    it('gives a pod the name that the inventory has for its UID', async () => {
      machine.now = survey([
        namespace(2, { residents: [inPod(UID, 5)] }),
        namespace(3, { residents: [inPod(OTHER_UID, 5)] }),
      ])
      const plan = await discovery(listing('[]'))()
      assert.deepEqual(named(plan), [`${OTHER_UID} /run/netns/n3`, 'web /run/netns/n2'].sort())
    })

    it('leaves to the inventory what it lists: by UID, by namespace, or by the node’s end of a pair', async () => {
      machine.now = survey([namespace(2, { residents: [inPod(UID, 5)] })])
      assert.deepEqual(named(await discovery(listing('[{ device: other0 }]'))()), ['web other0'])
      machine.now = survey([namespace(2, { residents: [inPod(OTHER_UID, 5)] })])
      assert.deepEqual(named(await discovery(listing('[{ netns: n2 }]'))()), ['web /run/netns/n2'])
      assert.deepEqual(named(await discovery(listing('[{ device: "veth*" }]'))()), ['web veth*'])
    })

    it('finds nothing by itself when it is the inventory alone', async () => {
      machine.now = survey([namespace(2, { residents: [inPod(UID, 5)] })])
      assert.deepEqual(await discovery(listing('[]'), 'inventory')(), {
        ...{ wanted: [], continued: [], ignored: [], unsettled: false, young: false },
      })
    })
  })

  describe('without the right to enter namespaces', () => {
    const web = `pods: [{ namespace: shop, name: web, uid: ${UID}, addresses: [10.1.0.7] }]`
    const blind = (...found: Parameters<typeof survey>[0]) => survey(found, { mayEnter: false })

    it('attaches to the node’s end of the pair, by the pod that has the address behind it', async () => {
      machine.now = blind(namespace(2, { path: CNI, cookie: 0 }))
      machine.addressesIn.set(2, Uint8Array.of(10, 1, 0, 7))
      const plan = await discovery(web)()
      assert.deepEqual(named(plan), ['web veth2'])
      assert.deepEqual([plan.wanted[0]!.netns, plan.wanted[0]!.uplinks], [undefined, new Set([102])])
    })

    it('knows the pods of its node by the API server, and keeps their names to the end', async () => {
      const names = namesOf()
      const look = discovery(undefined, 'auto', names)
      const parts = { uid: UID, addresses: ['10.1.0.7'], createdMs: 5_000 }
      names.changed('pods', clusterPod({ name: 'web-1', ...parts, ...ofDeployment('web') }), nowMs)
      names.changed('pods', clusterPod({ name: 'far', addresses: ['10.1.0.8'], node: 'n2' }), nowMs)
      machine.now = { ...blind(), links: [pairTo(7), pairTo(8)] }
      machine.addressesIn.set(7, Uint8Array.of(10, 1, 0, 7)).set(8, Uint8Array.of(10, 1, 0, 8))
      assert.deepEqual(named(await look()), ['unknown veth8', 'web-1 veth7'])
      names.changed('pods', clusterPod({ name: 'other', addresses: ['10.1.0.9'] }), nowMs)
      names.deleted('pods', UID, nowMs)
      assert.deepEqual(named(await look()), ['unknown veth8', 'web-1 veth7'])
    })

    it('needs no name of the namespace', async () => {
      machine.now = { ...blind(), links: [pairTo(7)] }
      machine.addressesIn.set(7, Uint8Array.of(10, 1, 0, 7))
      assert.deepEqual(named(await discovery(web)()), ['web veth7'])
    })

    it('does not know a later namespace by the address of a pod that was listed before', async () => {
      const look = discovery(web)
      await look()
      nowMs += 1_000
      machine.now = { ...blind(), links: [pairTo(7)] }
      machine.addressesIn.set(7, Uint8Array.of(10, 1, 0, 7))
      assert.deepEqual(named(await look()), ['unknown veth7'])
    })
  })

  it('goes by addresses where nobody appears in a namespace, after a while', async () => {
    const look = discovery(
      `pods: [{ namespace: shop, name: web, addresses: [10.1.0.7], created: "1970-01-01T00:01:00Z" }]`,
    )
    await look()
    machine.now = survey([namespace(2, { path: CNI })])
    machine.addressesIn.set(2, Uint8Array.of(10, 1, 0, 7))
    assert.deepEqual(named(await look()), [`unknown ${CNI}`])
    nowMs += 2_000
    assert.deepEqual(named(await look()), [`web ${CNI}`])
  })
})
