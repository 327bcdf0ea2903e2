// A resolver as a process of its own, on a real API server, with exactly the rights of deploy/rbac-resolver.yaml.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, describe, it } from 'mocha'
import { textOf } from '../resolver/linked.ts'
import { replicaOf, serviceOf, statusOf } from '../support/pretend-workloads.ts'
import { AUDIENCE, type ResolvedCluster, withResolvedCluster } from '../support/resolved-cluster.ts'
import { show } from '../support/show.ts'
import { until } from '../support/until.ts'

describe('a resolver on a real API server', function () {
  this.timeout(120_000)
  let made: ResolvedCluster
  withResolvedCluster(cluster => {
    made = cluster
  })

  const flows: readonly (readonly [address: string, port: number])[] = [
    ...(['10.244.1.7', '10.244.2.8', '10.244.2.9', '10.244.2.77', '10.96.7.7', '10.96.7.8', '10.96.0.1'] as const).map(
      each => [each, 80] as const,
    ),
    ...([
      ['192.0.2.11', 30_080],
      ['192.0.2.12', 10_250],
      ['203.0.113.9', 443],
      ['172.20.0.1', 80],
    ] as const),
  ]

  it('has agents say the same as if they watched everything themselves', async function () {
    const { port } = await made.resolver()
    const asking = await made.agent(port)
    await asking.synced()
    const watched = await made.watching()
    for (const [address, to] of flows) {
      const [told, seen] = [await asking.name(address, to), await watched.name(address, to)]
      assert.equal(textOf(told), textOf(seen), `${address}:${to}`)
    }
    const api = await asking.name('10.244.2.8')
    assert.deepEqual([api.workload?.name, api.place?.zone, [...api.ports]], ['api', 'z2', ['tcp/8080']])
    assert.equal((await asking.name('192.0.2.11', 30_080)).service?.name, 'api')
    const own = asking.cluster.names.local('shop/web-a')
    assert.deepEqual([own.workload?.name, own.place?.zone], ['web', 'z1'])
    show(
      this,
      asking.cluster
        .state()
        .map(({ resource, requests, bytes }) => `${resource} ${requests}, ${bytes} B`)
        .join('; '),
    )
    assert.deepEqual(
      asking.cluster.state().map(({ resource }) => resource),
      ['pods', 'resolver'],
    )
  })

  it('tells of what changes while flows go on', async () => {
    const { port } = await made.resolver()
    const asking = await made.agent(port)
    await asking.synced()
    assert.equal((await asking.name('10.96.7.7')).workload?.name, 'api')
    const { version } = asking.cluster.names
    await made.plane.apply(serviceOf('api', '10.96.7.7', 30_080, 'db'))
    try {
      await until('it leads elsewhere', async () => (await asking.name('10.96.7.7')).workload?.name === 'db')
      assert.notEqual(asking.cluster.names.version, version)
    } finally {
      await made.plane.apply(serviceOf('api', '10.96.7.7', 30_080))
    }
  })

  it('answers who has a token for it, of one of the accounts that may, and nobody else', async () => {
    const { port } = await made.resolver()
    const wrong = async (name: string, text: string | undefined) => {
      const file = join(made.folder, name)
      if (text !== undefined) writeFileSync(file, text)
      const asking = await made.agent(port, { token_file: text === undefined ? undefined : file })
      await until('a reason', () => asking.state('resolver')?.degraded !== undefined)
      return asking.state('resolver')!.degraded!.reason
    }
    assert.equal(await wrong('none', undefined), 'neither a client certificate nor a token')
    const nobodys = 'nobody has this token, or it is not for the audience'
    assert.equal(await wrong('nonsense', 'nonsense'), nobodys)
    // It is for the API server, which the resolver could then be to it.
    assert.equal(await wrong('api-server', await made.plane.token()), nobodys)
    const other = await made.plane.token({ account: 'podweir-resolver', audience: AUDIENCE })
    assert.equal(await wrong('other', other), 'system:serviceaccount:podweir-system:podweir-resolver may not ask')
  })

  describe('without one right', () => {
    afterEach(() => made.plane.grant())

    for (const [apiGroup, resource] of [
      ['', 'pods'],
      ['', 'services'],
      ['', 'nodes'],
      ['discovery.k8s.io', 'endpointslices'],
    ] as const)
      it(`names it and has the rest: watch ${resource}`, async () => {
        await made.plane.revoke(apiGroup, resource, 'watch', 'podweir-resolver')
        const started = await made.resolver()
        const rule = `apiGroups: ["${apiGroup}"], resources: ["${resource}"], verbs: ["watch"]`
        await until(
          () => started.messages.join('\n'),
          () => started.messages.some(each => each.includes(`${resource}: forbidden: the ClusterRole lacks ${rule}`)),
        )
        const asking = await made.agent(started.port)
        await until('it is told', () => asking.state('resolver')?.degraded?.reason.includes(rule) === true)
        assert.ok(asking.log.messages.join().includes(`${resource}: forbidden`), asking.log.messages.join())
        const without = {
          pods: { pods: undefined, services: 'api', nodes: 'node', endpointslices: undefined },
          services: { pods: 'api', services: undefined, nodes: 'node', endpointslices: undefined },
          nodes: { pods: 'api', services: 'api', nodes: 'unknown', endpointslices: 'api' },
          endpointslices: { pods: 'api', services: 'api', nodes: 'node', endpointslices: undefined },
        }
        let names = {}
        await until(
          () => JSON.stringify(names),
          async () => {
            names = {
              pods: (await asking.name('10.244.2.8')).workload?.name,
              services: (await asking.name('10.96.7.7')).service?.name,
              nodes: (await asking.name('192.0.2.12', 10_250)).name,
              endpointslices: (await asking.name('10.96.7.7')).workload?.name,
            }
            return isDeepStrictEqual(names, without[resource])
          },
        )
      })

    for (const [apiGroup, resource, kind] of [
      ['apps', 'replicasets', 'ReplicaSet'],
      ['batch', 'jobs', 'Job'],
    ] as const)
      it(`names it and has the rest: get ${resource}`, async () => {
        await made.plane.revoke(apiGroup, resource, 'get', 'podweir-resolver')
        const owner = {
          apiVersion: `${apiGroup}/v1`,
          kind,
          name: `of-${resource}`,
          uid: `u-${resource}`,
          controller: true,
        }
        await made.plane.apply(replicaOf('odd', resource, 'node-2', [owner]))
        await made.plane.writeStatus(`shop/odd-${resource}`, statusOf('10.244.2.60'))
        const started = await made.resolver()
        const rule = `apiGroups: ["${apiGroup}"], resources: ["${resource}"], verbs: ["get"]`
        await until(
          () => started.messages.join('\n'),
          () => started.messages.some(each => each.includes(`owners: forbidden: the ClusterRole lacks ${rule}`)),
        )
        const asking = await made.agent(started.port)
        await asking.synced()
        assert.equal((await asking.name('10.244.2.60')).workload?.kind, kind)
        await made.plane.kubectl('-n', 'shop', 'delete', 'pod', `odd-${resource}`, '--grace-period=0', '--force')
      })

    it('names it, and lets no service account ask: create tokenreviews', async () => {
      await made.plane.revoke('authentication.k8s.io', 'tokenreviews', 'create', 'podweir-resolver')
      const started = await made.resolver()
      const asking = await made.agent(started.port)
      const rule = 'apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"]'
      await until(
        () => started.messages.join('\n'),
        () => started.messages.some(each => each.includes(`tokens: forbidden: the ClusterRole lacks ${rule}`)),
      )
      await until('the agent knows', () => /can't be checked/.test(asking.state('resolver')?.degraded?.reason ?? ''))
      await made.plane.grant()
      await asking.synced(60_000)
    })

    it('names it and has the rest: watch pods, of the agent', async () => {
      await made.plane.revoke('', 'pods', 'watch', 'podweir')
      const { port } = await made.resolver()
      const asking = await made.agent(port)
      const rule = 'apiGroups: [""], resources: ["pods"], verbs: ["watch"]'
      await until('it is known', () =>
        asking.log.messages.join().includes(`pods: forbidden: the ClusterRole lacks ${rule}`),
      )
      await until('the resolver', () => asking.state('resolver')?.syncedAtMs !== undefined)
      assert.equal((await asking.name('10.244.2.8')).workload?.name, 'api')
    })
  })
})
