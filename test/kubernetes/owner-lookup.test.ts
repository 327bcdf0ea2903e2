// Who controls a controller, against a server that we can make say anything.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import type { ClusterConnection } from '../../lib/kubernetes/cluster-connection.ts'
import { OwnerLookup } from '../../lib/kubernetes/owner-lookup.ts'
import { type CapturedLog, capturedLog } from '../support/captured-log.ts'
import { PretendApiServer, status } from '../support/pretend-api-server.ts'
import { until } from '../support/until.ts'

const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u-d' }
const replicaSet = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d9', uid: 'u-r' }
const rollout = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'shop', uid: 'u-o' }
const resources = {
  resources: [
    { name: 'rollouts', kind: 'Rollout', namespaced: true },
    { name: 'rollouts/status', kind: 'Rollout', namespaced: true },
    { name: 'fleets', kind: 'Fleet', namespaced: false },
  ],
}

function controlled(uid: string, owner?: object): string {
  return JSON.stringify({ metadata: { uid, ...(owner && { ownerReferences: [{ ...owner, controller: true }] }) } })
}

describe('looking owners up', () => {
  let server: PretendApiServer
  let connection: ClusterConnection
  let lookup: OwnerLookup
  let log: CapturedLog
  let answers: Record<string, [status: number, body: string]>
  let nowMs = 0

  beforeEach(async () => {
    answers = {
      '/apis/apps/v1/namespaces/shop/replicasets/web-5d9': [200, controlled('u-r', deployment)],
      '/apis/argoproj.io/v1alpha1': [200, JSON.stringify(resources)],
      '/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/shop': [200, controlled('u-o')],
      '/apis/argoproj.io/v1alpha1/fleets/all': [200, controlled('u-f')],
    }
    server = await PretendApiServer.start(({ path }, response) => {
      const [code, body] = answers[path] ?? [404, status(404, 'not found')]
      response.writeHead(code).end(body)
    })
    connection = server.connection()
    log = capturedLog()
    nowMs = 1_000
    const times = { backOff: { firstMs: 10, mostMs: 50 }, refusedMs: 600_000, answerMs: 1_000 }
    const clock = { nowMs: systemClock.nowMs, monotonicMs: () => nowMs }
    lookup = new OwnerLookup({ connection, log: log.log, clock, times })
  })

  afterEach(async () => {
    lookup.close()
    connection.close()
    await server.stop()
  })

  it('finds the Deployment of a ReplicaSet by its metadata alone, with one request for all who ask', async () => {
    const found = await Promise.all([1, 2, 3].map(() => lookup.ownerOf('shop', replicaSet)))
    assert.deepEqual(found, [deployment, deployment, deployment])
    assert.equal(server.requests.length, 1)
    assert.match(server.requests[0]!.headers.accept!, /as=PartialObjectMetadata.*,application\/json$/)
  })

  it('finds where a custom kind lives by discovery, once', async () => {
    assert.equal(await lookup.ownerOf('shop', rollout), undefined)
    const fleet = { ...rollout, kind: 'Fleet', name: 'all', uid: 'u-f' }
    assert.equal(await lookup.ownerOf('shop', fleet), undefined)
    assert.deepEqual(
      server.requests.map(({ path }) => path),
      [
        '/apis/argoproj.io/v1alpha1',
        '/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/shop',
        '/apis/argoproj.io/v1alpha1/fleets/all',
      ],
    )
  })

  it('takes nothing from another object of the same name, nor from one that is gone', async () => {
    assert.equal(await lookup.ownerOf('shop', { ...replicaSet, uid: 'u-other' }), undefined)
    assert.equal(await lookup.ownerOf('shop', { ...replicaSet, name: 'gone', uid: 'u-gone' }), undefined)
    assert.deepEqual(await lookup.ownerOf('shop', replicaSet), deployment)
  })

  it('asks nobody about a static pod’s node, nor for what would be another path', async () => {
    const odd = [
      { ...replicaSet, kind: 'Node', apiVersion: 'v1' },
      { ...replicaSet, name: '..' },
      { ...replicaSet, apiVersion: '../../api' },
      { ...replicaSet, apiVersion: '' },
    ]
    for (const owner of odd) assert.equal(await lookup.ownerOf('shop', owner), undefined)
    assert.equal(await lookup.ownerOf('../x', replicaSet), undefined)
    assert.deepEqual(server.requests, [])
  })

  it('says which rule is missing, once, and asks again when its time has come', async () => {
    answers['/apis/apps/v1/namespaces/shop/replicasets/web-5d9'] = [403, status(403, 'forbidden')]
    assert.equal(await lookup.ownerOf('shop', replicaSet), undefined)
    assert.equal(await lookup.ownerOf('shop', { ...replicaSet, uid: 'u-2' }), undefined)
    assert.equal(server.requests.length, 1)
    assert.deepEqual(lookup.missingRules, [{ apiGroup: 'apps', resource: 'replicasets', verb: 'get' }])
    assert.equal(log.messages.length, 1)
    assert.match(log.messages[0]!, /lacks apiGroups: \["apps"\], resources: \["replicasets"\], verbs: \["get"\]/)
    answers['/apis/apps/v1/namespaces/shop/replicasets/web-5d9'] = [200, controlled('u-r', deployment)]
    nowMs += 600_001
    assert.deepEqual(await lookup.ownerOf('shop', replicaSet), deployment)
  })

  it('waits for a server that is away, and asks it seldom', async () => {
    answers['/apis/apps/v1/namespaces/shop/replicasets/web-5d9'] = [500, 'x']
    const found = lookup.ownerOf('shop', replicaSet)
    await until('several attempts', () => server.requests.length >= 4)
    answers['/apis/apps/v1/namespaces/shop/replicasets/web-5d9'] = [200, 'garbage']
    await until('one more', () => server.requests.length >= 6)
    answers['/apis/apps/v1/namespaces/shop/replicasets/web-5d9'] = [200, controlled('u-r', deployment)]
    assert.deepEqual(await found, deployment)
  })

  it('has at most four requests at the same time, and answers all', async () => {
    let open = 0
    let most = 0
    server.answer = ({ path }, response) => {
      most = Math.max(most, ++open)
      setTimeout(() => {
        open--
        response.writeHead(200).end(controlled(`u-${path.split('-').at(-1)}`, deployment))
      }, 5)
    }
    const owners = Array.from({ length: 100 }, (_, i) => ({ ...replicaSet, name: `web-${i}`, uid: `u-${i}` }))
    const found = await Promise.all(owners.map(owner => lookup.ownerOf('shop', owner)))
    assert.equal(found.filter(each => each?.name === 'web').length, 100)
    assert.equal(most, 4)
  })

  it('comes to nothing when it is closed', async () => {
    server.answer = () => {}
    const found = [1, 2, 3, 4, 5, 6].map(i => lookup.ownerOf('shop', { ...replicaSet, uid: `u-${i}` }))
    await until('requests', () => server.requests.length === 4)
    lookup.close()
    assert.deepEqual(await Promise.all(found), Array(6).fill(undefined))
  })
})
