import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { OwnerChains, type OwnerLookup, type Top } from '../../lib/enrich/owner-chains.ts'
import type { ClusterPod, Owner } from '../../lib/kubernetes/cluster-objects.ts'
import { addressKeyOf } from '../support/address-key.ts'
import { clusterPod, HEARD_MS, ofDeployment, owner } from '../support/cluster-objects.ts'
import { namesOf } from './two-nodes.ts'

/** Owners by the owned one's kind and name, and what was asked. */
class ToldOwners {
  readonly asked: string[] = []
  readonly owners: Readonly<Record<string, Owner | Error>>

  constructor(owners: Readonly<Record<string, Owner | Error>>) {
    this.owners = owners
  }

  readonly lookup: OwnerLookup = async (namespace, { kind, name }) => {
    this.asked.push(`${namespace} ${kind}/${name}`)
    const found = this.owners[`${kind}/${name}`]
    if (found instanceof Error) throw found
    return found
  }
}

const job = owner('Job', 'report-28900000', 'batch/v1')
const cronJob = owner('CronJob', 'report', 'batch/v1')

function textOf({ kind, name }: Top): string {
  return `${kind}/${name}`
}

/** What is known at once, and what when all answers have come; how often it was told. */
async function climbed(pod: Partial<ClusterPod>, told: ToldOwners) {
  const chains = new OwnerChains(told.lookup)
  const owned = clusterPod({ name: 'pod-1', ...pod })
  let answers = 0
  const first = textOf(chains.topOf(owned, () => answers++))
  for (let i = 0; i < 10; i++) await turn()
  const last = textOf(chains.topOf(owned, () => answers++))
  return { first, last, answers }
}

describe('owner chains', () => {
  const nobody = new ToldOwners({})

  for (const [what, pod, expected] of [
    ['no owner', {}, 'Pod/pod-1'],
    ['its node, of which it is a static pod', { owner: owner('Node', 'n1', 'v1') }, 'Pod/pod-1'],
    ['a ReplicaSet with the hash in its name', ofDeployment('web'), 'Deployment/web'],
    ['the same with dashes in the name', ofDeployment('web-api-2'), 'Deployment/web-api-2'],
    ['a ReplicaSet of a Rollout', { ...ofDeployment('web'), templateOf: 'Rollout' }, 'Rollout/web'],
    ['a StatefulSet', { owner: owner('StatefulSet', 'db') }, 'StatefulSet/db'],
    ['a DaemonSet', { owner: owner('DaemonSet', 'log') }, 'DaemonSet/log'],
  ] as [string, Partial<ClusterPod>, string][])
    it(`needs to ask nobody for a pod with ${what}`, async () => {
      assert.deepEqual(await climbed(pod, nobody), { first: expected, last: expected, answers: 0 })
      assert.deepEqual(nobody.asked, [])
    })

  it('asks for a Job, and says Job until the answer has come', async () => {
    const told = new ToldOwners({ 'Job/report-28900000': cronJob })
    assert.deepEqual(await climbed({ owner: job }, told), {
      first: 'Job/report-28900000',
      last: 'CronJob/report',
      answers: 1,
    })
    assert.deepEqual(told.asked, ['shop Job/report-28900000'])
  })

  it('takes a name for no proof: not without the hash, with another one, nor of another group', async () => {
    for (const pod of [
      { owner: owner('ReplicaSet', 'web-5d4') },
      { owner: owner('ReplicaSet', 'web-5d4'), templateHash: '6e5' },
      { owner: owner('ReplicaSet', '-5d4'), templateHash: '5d4' },
      { owner: owner('ReplicaSet', 'web-5d4', 'example.com/v1'), templateHash: '5d4' },
    ]) {
      const told = new ToldOwners({})
      const { kind, name } = pod.owner
      assert.deepEqual(await climbed(pod, told), { first: `${kind}/${name}`, last: `${kind}/${name}`, answers: 0 })
      assert.equal(told.asked.length, 1)
    }
  })

  it('climbs to the top of custom controllers, five steps at most and never in a circle', async () => {
    const custom = (name: string) => owner('Step', name, 'example.com/v1')
    const told = new ToldOwners(Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map(i => [`Step/s${i}`, custom(`s${i + 1}`)])))
    assert.equal((await climbed({ owner: custom('s1') }, told)).last, 'Step/s5')
    const circle = new ToldOwners({ 'Step/s1': custom('s2'), 'Step/s2': custom('s1') })
    assert.equal((await climbed({ owner: custom('s1') }, circle)).last, 'Step/s2')
    const deployed = new ToldOwners({ 'Step/s1': owner('Deployment', 'web'), 'Deployment/web': custom('operator') })
    assert.equal((await climbed({ owner: custom('s1') }, deployed)).last, 'Deployment/web')
  })

  it('asks once for all pods of an owner, and again only if nobody could answer', async () => {
    const told = new ToldOwners({ 'Job/report-28900000': cronJob })
    const chains = new OwnerChains(told.lookup)
    let answers = 0
    for (const name of ['a', 'b', 'c']) chains.topOf(clusterPod({ name, owner: job }), () => answers++)
    assert.equal(chains.open, 1)
    for (let i = 0; i < 10; i++) await turn()
    assert.deepEqual([told.asked.length, answers, chains.open], [1, 3, 0])
    const failing = new ToldOwners({ 'Job/report-28900000': new Error('503') })
    assert.equal((await climbed({ owner: job }, failing)).last, 'Job/report-28900000')
    assert.equal(failing.asked.length, 2)
  })

  it('changes a pod’s identity once, with the version, and the pod is there meanwhile', async () => {
    const told = new ToldOwners({ 'Job/report-28900000': cronJob })
    const names = namesOf({ ownerOf: told.lookup })
    const address = addressKeyOf('10.1.0.50')
    names.changed('pods', clusterPod({ name: 'report-1', addresses: ['10.1.0.50'], owner: job }), HEARD_MS)
    assert.equal(names.remote(address, HEARD_MS).workload?.kind, 'Job')
    const { version } = names
    for (let i = 0; i < 10; i++) await turn()
    assert.deepEqual(names.remote(address, HEARD_MS).workload, { namespace: 'shop', kind: 'CronJob', name: 'report' })
    assert.equal(names.version, version + 1)
  })
})
