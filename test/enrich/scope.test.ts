import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Link } from '../../lib/capture/flow-source.ts'
import { parseInventory } from '../../lib/config/inventory.ts'
import { DeviceScope } from '../../lib/enrich/device-scope.ts'
import { matchDevices } from '../../lib/enrich/interface-plan.ts'
import { InterfaceScope } from '../../lib/enrich/interface-scope.ts'
import { InventoryNames } from '../../lib/enrich/inventory-names.ts'
import { PodScope, type ScopedPod } from '../../lib/enrich/pod-scope.ts'
import { addressKeyOf as key } from '../support/address-key.ts'
import { capturedLog } from '../support/captured-log.ts'
import { PretendSource } from '../support/pretend-source.ts'
import { type FewRules, scopeOf } from '../support/scope.ts'

const web: ScopedPod = {
  namespace: 'shop',
  labels: { app: 'web', tier: 'frontend', empty: '' },
  workload: { kind: 'Deployment', name: 'web' },
}
const proxy: ScopedPod = { namespace: 'kube-system', labels: {}, workload: { kind: 'DaemonSet', name: 'kube-proxy' } }
const nameless: ScopedPod = {}

describe('PodScope', () => {
  const cases: readonly [what: string, rules: FewRules, web: boolean, proxy: boolean, nameless: boolean][] = [
    ['has every pod without rules', {}, true, true, true],
    ['leaves out a namespace', { exclude: { namespaces: ['kube-*'] } }, true, false, true],
    ['has nothing but an included namespace', { include: { namespaces: ['shop', 'x'] } }, true, false, false],
    ['takes a pattern for a whole name', { include: { namespaces: ['sho', 'hop', 's?p'] } }, false, false, false],
    ['knows a label by its key', { include: { labels: ['app'] } }, true, false, false],
    ['knows a label by its value', { exclude: { labels: ['tier=front*', 'app=db'] } }, false, true, true],
    ['takes a label’s value as a whole', { exclude: { labels: ['tier=front'] } }, true, true, true],
    ['tells an empty label from a missing one', { include: { labels: ['empty='] } }, true, false, false],
    ['takes no label for what every object has', { include: { labels: ['constructor'] } }, false, false, false],
    ['knows a workload', { exclude: { workloads: ['DaemonSet/*', 'Deployment/db'] } }, true, false, true],
    [
      'asks for one rule of each kind',
      { include: { namespaces: ['*'], workloads: ['*/web', '*/kube-proxy'], labels: ['app'] } },
      ...([true, false, false] as const),
    ],
    [
      'excludes what it includes too',
      { include: { labels: ['app'] }, exclude: { namespaces: ['shop'] } },
      false,
      false,
      false,
    ],
    ['has a dot stand for itself', { include: { namespaces: ['sh.p'] } }, false, false, false],
  ]
  for (const [what, rules, ...expected] of cases)
    it(what, () => {
      const scope = new PodScope(scopeOf(rules))
      assert.deepEqual(
        [web, proxy, nameless].map(pod => scope.has(pod)),
        expected,
      )
    })
})

describe('InventoryNames with a scope', () => {
  const scope = new PodScope(scopeOf({ exclude: { labels: ['team=data'] } }))
  const pods = (labels: string) =>
    parseInventory(`pods: [{ namespace: a, name: x, labels: ${labels}, addresses: [10.0.0.1] }]`, 'inv.yaml')

  it('says of a pod that it is out of scope, by its name and by its address', () => {
    const names = new InventoryNames(pods('{ team: data }'), [], scope)
    assert.equal(names.local('a/x').outOfScope, true)
    assert.equal(names.remote(key('10.0.0.1'), 0), names.local('a/x'))
  })

  it('gives a pod another identity when a label takes it out of scope, and the same while nothing changes', () => {
    const names = new InventoryNames(pods('{ team: web }'), [], scope)
    const before = names.local('a/x')
    names.replace(pods('{ team: web, more: "1" }'))
    assert.equal(names.local('a/x'), before)
    names.replace(pods('{ team: data }'))
    assert.notEqual(names.local('a/x'), before)
    assert.equal(names.local('a/x').outOfScope, true)
  })

  it('asks the rules for a namespace without an inventory too', () => {
    const included = new PodScope(scopeOf({ include: { namespaces: ['shop'] } }))
    assert.equal(new InventoryNames(undefined, [], included).local('blue').outOfScope, true)
  })
})

describe('DeviceScope', () => {
  const identity = { class: 'pod', ports: new Set<string>() } as const
  const wanted = { identity, netns: '/run/netns/x', subject: 'a/x' }
  const source = { links: async () => [link('eth0'), link('net1'), link('net2')] }

  it('takes what is left of a pod’s devices, and tells which it ignores', async () => {
    const devices = new DeviceScope(scopeOf({ include: { interfaces: ['net*'] }, exclude: { interfaces: ['net2'] } }))
    const { wanted: chosen, ignored } = await devices.choose([wanted], source)
    assert.deepEqual(ignored, [
      { subject: 'a/x', device: 'eth0' },
      { subject: 'a/x', device: 'net2' },
    ])
    assert.deepEqual(
      matchDevices(chosen[0]!, await source.links()).map(found => found.link.name),
      ['net1'],
    )
  })

  it('wants nothing of a pod whose every device is ignored, and goes on wanting one without devices', async () => {
    const devices = new DeviceScope(scopeOf({ exclude: { interfaces: ['eth*', 'net?'] } }))
    const { wanted: chosen, ignored } = await devices.choose([wanted], source)
    assert.deepEqual([chosen.length, ignored.length], [0, 3])
    assert.equal((await devices.choose([wanted], { links: async () => [] })).wanted.length, 1)
  })

  it('asks nobody when there are no rules', async () => {
    const nobody = { links: () => assert.fail('the links were asked for') }
    const plan = [wanted]
    assert.equal((await new DeviceScope(scopeOf({})).choose(plan, nobody)).wanted, plan)
  })
})

describe('InterfaceScope', () => {
  const owner = (outOfScope: boolean) => ({
    identity: { class: 'pod', ports: new Set<string>(), ...(outOfScope && { outOfScope }) } as const,
    device: 'eth0',
  })

  it('tells the capture when an interface leaves and when it comes back, and nothing twice', async () => {
    const { scope, told } = toldScope()
    await scope.tell(1, owner(false))
    await scope.tell(1, owner(true))
    await scope.tell(1, owner(true))
    await scope.tell(1, owner(false))
    assert.deepEqual(told, ['1 true', '1 false'])
  })

  it('forgets an interface that has ended: the slot’s next one is in scope', async () => {
    const { scope, told } = toldScope()
    await scope.tell(1, owner(true))
    scope.forget(1)
    await scope.tell(1, owner(true))
    assert.deepEqual(told, ['1 true', '1 true'])
  })

  it('says what failed and tries again', async () => {
    const { scope, told, captured, fail } = toldScope()
    fail('set the scope of interface 1: no')
    await scope.tell(1, owner(true))
    await scope.tell(1, owner(true))
    assert.deepEqual(captured.messages, ['set the scope of interface 1: no'])
    assert.deepEqual(told, ['1 true'])
  })
})

function toldScope() {
  const told: string[] = []
  const captured = capturedLog()
  const failures: string[] = []
  const source = new PretendSource()
  source.setOutOfScope = async (interfaceSlot: number, out: boolean) => {
    const failure = failures.shift()
    if (failure !== undefined) throw new Error(failure)
    told.push(`${interfaceSlot} ${out}`)
  }
  const scope = new InterfaceScope(scopeOf({}), source, captured.log)
  return { scope, told, captured, fail: (message: string) => failures.push(message) }
}

function link(name: string): Link {
  return {
    ...{ index: 2, name, kind: 'veth', ethernet: true, loopback: false, up: true },
    ...{ peerIndex: 7, peerNamespaceId: 0, address: '02:00:00:00:00:01' },
  }
}
