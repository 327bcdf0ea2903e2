// The client against a real API server and etcd, with exactly the rights of deploy/rbac.yaml.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import type { Resource } from '../../lib/kubernetes/cluster-objects.ts'
import { CuttablePath } from '../support/cuttable-path.ts'
import { buildKubernetes, ControlPlane } from '../support/kubernetes.ts'
import { show } from '../support/show.ts'
import { until } from '../support/until.ts'
import { WatchedCluster } from '../support/watched-cluster.ts'

const FAST = { forbiddenMs: 500 }
const PODS = ['a', 'b', 'c']

function pod(name: string, node = 'node-1') {
  const containers = [{ name: 'x', image: 'x', ports: [{ containerPort: 8080 }] }]
  const spec = {
    nodeName: node,
    automountServiceAccountToken: false,
    containers,
    tolerations: [{ operator: 'Exists' }],
  }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', labels: { app: name } }, spec }
}

function node(name: string, block: number) {
  const labels = { 'topology.kubernetes.io/zone': 'z1' }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { podCIDR: `10.244.${block}.0/24` } }
}

const service = {
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'shop' } },
  spec: { selector: { app: 'a' }, clusterIP: '10.96.7.7', ports: [{ port: 80, targetPort: 8080 }] },
}

for (const isStreaming of [true, false])
  describe(`a real API server ${isStreaming ? 'with' : 'without'} WatchList`, function () {
    this.timeout(120_000)
    let folder = ''
    let plane: ControlPlane
    let cluster: WatchedCluster | undefined
    let path: CuttablePath

    before('build and start the control plane', async function () {
      this.timeout('40m')
      await buildKubernetes(this)
      folder = mkdtempSync(join(tmpdir(), 'podweir-kubernetes-'))
      plane = await ControlPlane.start({ folder, features: `WatchList=${isStreaming}` })
      await plane.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
      await plane.apply(node('node-1', 1), node('node-2', 2), service)
    })

    after('stop the control plane', async function () {
      this.timeout('1m')
      await plane?.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    beforeEach(async () => {
      await plane.apply(...PODS.map(name => pod(name)), pod('elsewhere', 'node-2'))
      await plane.writeStatus('shop/a', { phase: 'Running', podIPs: [{ ip: '10.244.1.7' }], podIP: '10.244.1.7' })
      path = await CuttablePath.to(plane.port)
    })

    afterEach(async () => {
      await cluster?.close()
      cluster = undefined
      await path.close()
    })

    async function open(options: Parameters<typeof WatchedCluster.open>[0] = {}): Promise<WatchedCluster> {
      const kubeconfig = await plane.exporterKubeconfig(`https://127.0.0.1:${path.port}`)
      cluster = await WatchedCluster.open({
        kubeconfig,
        labels: ['app'],
        ...options,
        times: { ...FAST, ...options.times },
      })
      return cluster
    }

    it('tells everything over one connection, then each change', async function () {
      const watched = await open()
      await watched.synced()
      const { kept, watch } = watched
      assert.deepEqual(kept.podNames, ['a', 'b', 'c', 'elsewhere'])
      const found = [...kept.pods.values()].find(({ name }) => name === 'a')!
      assert.deepEqual([found.node, found.addresses, found.ports], ['node-1', ['10.244.1.7'], ['tcp/8080']])
      assert.deepEqual({ ...found.labels }, { app: 'a' })
      const web = [...kept.services.values()].find(({ name }) => name === 'web')!
      assert.deepEqual(web.addresses, ['10.96.7.7'])
      const blocks = [...kept.nodes.values()].map(each => [each.name, each.podCidrs[0], each.zone])
      assert.deepEqual(blocks.sort(), [
        ['node-1', '10.244.1.0/24', 'z1'],
        ['node-2', '10.244.2.0/24', 'z1'],
      ])
      await until('the slice', () =>
        [...kept.endpointslices.values()].some(
          each => each.service === 'web' && each.endpoints.some(({ podUid }) => podUid === found.uid),
        ),
      )
      await plane.apply(pod('d'))
      await until('d', () => kept.podNames.includes('d'))
      await plane.kubectl('-n', 'shop', 'delete', 'pod', 'd', '--grace-period=0', '--force')
      await until('no d', () => !kept.podNames.includes('d'))
      assert.equal(path.connections, 1)
      assert.deepEqual(watched.messages, [])
      const figures = watch
        .state()
        .map(({ resource, requests, bytes }) => `${resource} ${requests} requests, ${bytes} B`)
      show(this, figures.join('; '))
      assert.deepEqual(
        watch.state().map(({ requests }) => requests),
        Array(4).fill(isStreaming ? 1 : 3),
      )
    })

    it('tells of one node’s pods alone where peers are not asked for', async () => {
      const { watch, kept } = await open({ peers: 'none', nodeName: 'node-2' })
      await until('both', () => kept.syncs.pods > 0 && kept.syncs.nodes > 0)
      assert.deepEqual(kept.podNames, ['elsewhere'])
      assert.deepEqual(
        watch.state().map(({ resource }) => resource),
        ['pods', 'nodes'],
      )
    })

    it('is watched on when it was killed and comes back, with what has changed', async function () {
      const watched = await open()
      await watched.synced()
      await plane.killApiServer()
      const downMs = systemClock.monotonicMs()
      const before = watched.requests
      await until('it is noticed', () => watched.watch.state().every(({ degraded }) => degraded), { limitMs: 20_000 })
      await plane.startApiServer()
      const upMs = systemClock.monotonicMs()
      await plane.apply(pod('new'))
      await until('new', () => watched.kept.podNames.includes('new'), { limitMs: 60_000 })
      await until('all is well', () => watched.watch.state().every(({ degraded }) => !degraded), { limitMs: 60_000 })
      const [downS, backS] = [upMs - downMs, systemClock.monotonicMs() - upMs].map(ms => (ms / 1000).toFixed(1))
      show(
        this,
        `down for ${downS} s, all well ${backS} s later, ${watched.requests - before} requests by four watches`,
      )
      assert.ok(watched.requests - before < 4 * 20)
      await plane.kubectl('-n', 'shop', 'delete', 'pod', 'new', '--grace-period=0', '--force')
      await until('no new', () => !watched.kept.podNames.includes('new'))
    })

    it('tells everything anew when it has forgotten where we were', async () => {
      const watched = await open()
      await watched.synced()
      path.cut()
      await plane.kubectl('-n', 'shop', 'delete', 'pod', 'b', '--grace-period=0', '--force')
      await plane.apply(pod('late'))
      await plane.compact()
      await plane.killApiServer()
      await plane.startApiServer()
      await plane.apply(pod('later'))
      await plane.compact()
      path.mend()
      await until(
        () => JSON.stringify([watched.kept.syncs, watched.kept.podNames]),
        () => watched.kept.syncs.pods === 2,
        { limitMs: 60_000 },
      )
      assert.deepEqual(watched.kept.podNames, ['a', 'c', 'elsewhere', 'late', 'later'])
      assert.equal(watched.state('pods').degraded, undefined)
      await plane.kubectl('-n', 'shop', 'delete', 'pod', 'late', 'later', '--grace-period=0', '--force')
    })

    it('is found dead when nothing comes through any more, and watched over a new connection', async function () {
      const watched = await open({ connectionTimes: { pingEveryMs: 300, pingLimitMs: 300 } })
      await watched.synced()
      path.silence()
      const silentMs = systemClock.monotonicMs()
      await plane.apply(pod('unheard'))
      await until('unheard', () => watched.kept.podNames.includes('unheard'), { limitMs: 20_000 })
      show(this, `heard after ${Math.round(systemClock.monotonicMs() - silentMs)} ms, with a ping every 300 ms`)
      assert.equal(watched.kept.syncs.pods, 1)
      await plane.kubectl('-n', 'shop', 'delete', 'pod', 'unheard', '--grace-period=0', '--force')
    })

    it('is found dead while it is stopped, and watched when it goes on', async () => {
      const watched = await open({
        connectionTimes: { pingEveryMs: 300, pingLimitMs: 300, connectLimitMs: 500, answerLimitMs: 500 },
      })
      await watched.synced()
      plane.signalApiServer('SIGSTOP')
      try {
        await until('it is noticed', () => watched.watch.state().every(({ degraded }) => degraded), { limitMs: 20_000 })
      } finally {
        plane.signalApiServer('SIGCONT')
      }
      await plane.apply(pod('after'))
      await until('after', () => watched.kept.podNames.includes('after'), { limitMs: 60_000 })
      await plane.kubectl('-n', 'shop', 'delete', 'pod', 'after', '--grace-period=0', '--force')
    })

    it('is shown a new token as soon as it refuses the old one', async () => {
      const serviceAccount = join(folder, 'service-account')
      mkdirSync(serviceAccount, { recursive: true })
      writeFileSync(join(serviceAccount, 'ca.crt'), plane.ca)
      const secrets = '-n podweir-system create secret generic'.split(' ')
      await plane.kubectl(...secrets, 'first')
      const first = await plane.token({ secret: 'first' })
      writeFileSync(join(serviceAccount, 'token'), first)
      const server = `https://127.0.0.1:${path.port}`
      const watched = await open({ authType: 'serviceAccount', server, serviceAccount })
      await watched.synced()
      writeFileSync(join(serviceAccount, 'token'), await plane.token())
      await plane.kubectl('-n', 'podweir-system', 'delete', 'secret', 'first')
      // The API server itself remembers for up to 10 s that a token was good.
      const isRefused = () =>
        plane.kubectl('--token', first, 'get', '--raw', '/api').then(
          () => false,
          () => true,
        )
      await until('the old one is refused', isRefused, { limitMs: 30_000, everyMs: 500 })
      path.cut()
      path.mend()
      await plane.apply(pod('rotated'))
      await until('rotated', () => watched.kept.podNames.includes('rotated'), { limitMs: 20_000 })
      assert.deepEqual(watched.messages, [])
      await plane.kubectl('-n', 'shop', 'delete', 'pod', 'rotated', '--grace-period=0', '--force')
    })

    it('tells what a controller belongs to', async () => {
      const template = { metadata: { labels: { app: 'dep' } }, spec: { containers: [{ name: 'x', image: 'x' }] } }
      const spec = { replicas: 1, selector: { matchLabels: { app: 'dep' } }, template }
      await plane.apply({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'dep', namespace: 'shop' },
        spec,
      })
      const watched = await open()
      const ofDeployment = () => [...watched.kept.pods.values()].find(({ name }) => name.startsWith('dep-'))
      await until('its pod', () => ofDeployment() !== undefined, { limitMs: 30_000 })
      const { owner, templateHash } = ofDeployment()!
      assert.deepEqual([owner!.kind, owner!.name], ['ReplicaSet', `dep-${templateHash}`])
      const found = await watched.owners.ownerOf('shop', owner!)
      assert.deepEqual([found!.apiVersion, found!.kind, found!.name], ['apps/v1', 'Deployment', 'dep'])
      // Nobody may read Deployments: there the names end.
      assert.equal(await watched.owners.ownerOf('shop', found!), undefined)
      assert.deepEqual(watched.owners.missingRules, [{ apiGroup: 'apps', resource: 'deployments', verb: 'get' }])
      await plane.kubectl('-n', 'shop', 'delete', 'deployment', 'dep')
    })

    describe('without one right', () => {
      afterEach(() => plane.grant())

      const watchedResources: readonly (readonly [apiGroup: string, resource: Resource])[] = [
        ['', 'pods'],
        ['', 'services'],
        ['', 'nodes'],
        ['discovery.k8s.io', 'endpointslices'],
      ]
      for (const [apiGroup, resource] of watchedResources)
        for (const missing of isStreaming ? ['watch'] : ['list', 'watch'])
          it(`names it and has the rest: ${missing} ${resource}`, async () => {
            await plane.revoke(apiGroup, resource, missing)
            const watched = await open()
            await until('it is known', () => watched.state(resource).degraded !== undefined)
            const rule = `apiGroups: ["${apiGroup}"], resources: ["${resource}"], verbs: ["${missing}"]`
            assert.ok(
              watched.messages[0]!.includes(`${resource}: forbidden: the ClusterRole lacks ${rule}`),
              watched.messages.join(),
            )
            await watched.synced({ but: [resource] })
            assert.deepEqual(watched.state(resource).degraded!.missingRule, { apiGroup, resource, verb: missing })
            assert.equal(watched.messages.length, 1)
            await plane.grant()
            await watched.synced()
            await until('it works', () => watched.state(resource).degraded === undefined, { limitMs: 40_000 })
          })

      for (const [apiGroup, kind, resource] of [
        ['apps', 'ReplicaSet', 'replicasets'],
        ['batch', 'Job', 'jobs'],
      ] as const)
        it(`names it and has the rest: get ${resource}`, async () => {
          await plane.revoke(apiGroup, resource, 'get')
          const watched = await open()
          const owner = { apiVersion: `${apiGroup}/v1`, kind, name: 'x', uid: 'u' }
          assert.equal(await watched.owners.ownerOf('shop', owner), undefined)
          const rule = `apiGroups: ["${apiGroup}"], resources: ["${resource}"], verbs: ["get"]`
          assert.ok(watched.messages[0]!.includes(`lacks ${rule}`), watched.messages.join())
          await watched.synced()
          assert.equal(watched.messages.length, 1)
        })
    })
  })
