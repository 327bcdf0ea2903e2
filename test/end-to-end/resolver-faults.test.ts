// Resolvers as processes of their own that are killed, stopped, cut off or behind: nobody is called by the name of before.
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'mocha'
import type { AskingCluster } from '../support/asking-cluster.ts'
import { replicaOf, statusOf } from '../support/pretend-workloads.ts'
import { type ResolvedCluster, withResolvedCluster } from '../support/resolved-cluster.ts'
import { show } from '../support/show.ts'
import { until } from '../support/until.ts'

describe('while an address goes from one pod to another, a resolver', function () {
  this.timeout(240_000)
  let made: ResolvedCluster
  withResolvedCluster(cluster => {
    made = cluster
  })

  const ADDRESS = '10.244.2.50'
  let asking: AskingCluster
  let number = 0

  const workloadOf = async () => (await asking.name(ADDRESS)).workload?.name ?? 'unknown'

  /** The pod that has the address now is replaced by one of another workload. */
  async function replace(before: string, by: string): Promise<void> {
    if (before) await made.plane.kubectl('-n', 'shop', 'delete', 'pod', before, '--grace-period=0', '--force')
    const [workload, name] = by.split('-') as [string, string]
    await made.plane.apply(replicaOf(workload, name, 'node-2'))
    await made.plane.writeStatus(`shop/${by}`, statusOf(ADDRESS))
  }

  afterEach(async () => {
    const pods = (await made.plane.kubectl('-n', 'shop', 'get', 'pods', '-o', 'name')).split('\n')
    for (const each of pods.filter(pod => /\/(old|new)-/.test(pod)))
      await made.plane.kubectl('-n', 'shop', 'delete', each, '--grace-period=0', '--force')
  })

  async function begin(port: number): Promise<{ old: string; next: string }> {
    const pair = { old: `old-${++number}`, next: `new-${number}` }
    await replace('', pair.old)
    asking = await made.agent(port)
    await asking.synced()
    await until('its name', async () => (await workloadOf()) === 'old')
    return pair
  }

  it('is killed and comes back: nobody is called by the name of before', async function () {
    const first = await made.resolver()
    const { old, next } = await begin(first.port)
    await first.end('SIGKILL')
    await until('nobody knows', async () => (await workloadOf()) === 'unknown')
    await replace(old, next)
    for (let i = 0; i < 5; i++) assert.equal(await workloadOf(), 'unknown')
    const requests = asking.state('resolver')!.requests
    await made.resolver({ port: first.port })
    await until('the new name', async () => (await workloadOf()) === 'new', { limitMs: 60_000 })
    show(this, `${asking.state('resolver')!.requests - requests} attempts until it was there again`)
  })

  it('is one of two, and killed: the other one is asked within a moment', async function () {
    const [first, second] = [await made.resolver(), await made.resolver()]
    const path = await made.pathTo(first.port)
    const { old, next } = await begin(path.port)
    await second.knows(made.token)
    path.leadTo(second.port)
    await first.end('SIGKILL')
    const killedMs = performance.now()
    await until('the other one', async () => (await workloadOf()) === 'old')
    show(this, `known again after ${(performance.now() - killedMs).toFixed(0)} ms`)
    await replace(old, next)
    await until('the new name', async () => (await workloadOf()) === 'new')
  })

  it('is stopped, and goes on: what began meanwhile is unknown until then', async function () {
    const only = await made.resolver()
    const { old, next } = await begin(only.port)
    only.signal('SIGSTOP')
    try {
      await replace(old, next)
      const before = performance.now()
      for (let i = 0; i < 10; i++) assert.equal(await workloadOf(), 'unknown')
      show(this, `ten drains waited ${(performance.now() - before - 1_000).toFixed(0)} ms`)
      await until('it is missed', () => asking.state('resolver')?.degraded !== undefined, { limitMs: 30_000 })
    } finally {
      only.signal('SIGCONT')
    }
    await until('the new name', async () => (await workloadOf()) === 'new', { limitMs: 60_000 })
  })

  it('hears nothing of the API server any more, and does not know it: nobody is called by the name of before', async () => {
    const path = await made.pathTo(made.plane.port)
    const far = await made.farKubeconfig(path)
    const only = await made.resolver({ kubeconfig: far })
    const { old, next } = await begin(only.port)
    path.silence()
    await replace(old, next)
    for (let i = 0; i < 10; i++) assert.equal(await workloadOf(), 'unknown')
    assert.equal(asking.state('resolver')!.degraded, undefined)
    await until('the new name', async () => (await workloadOf()) === 'new', { limitMs: 60_000 })
  })

  it('loses the API server, which is killed and comes back', async () => {
    const only = await made.resolver()
    const { old, next } = await begin(only.port)
    await made.plane.killApiServer()
    await until('nobody knows', async () => (await workloadOf()) === 'unknown')
    await made.plane.startApiServer()
    // Each watch may be in the middle of its longest pause.
    await until(
      () => `the old name: ${only.messages.join('\n')}`,
      async () => (await workloadOf()) === 'old',
      { limitMs: 150_000 },
    )
    await replace(old, next)
    await until('the new name', async () => (await workloadOf()) === 'new', { limitMs: 60_000 })
  })

  it('sends an agent on that knows more than it does', async () => {
    const path = await made.pathTo(made.plane.port)
    const far = await made.farKubeconfig(path)
    const [first, late] = [await made.resolver(), await made.resolver({ kubeconfig: far })]
    await late.knows(made.token)
    const way = await made.pathTo(first.port)
    const { old, next } = await begin(way.port)
    path.silence()
    await replace(old, next)
    await until('the new name', async () => (await workloadOf()) === 'new')
    way.leadTo(late.port)
    await first.end('SIGKILL')
    await until('it is behind', () => /less is known here of/.test(asking.state('resolver')?.degraded?.reason ?? ''), {
      limitMs: 30_000,
    })
    assert.equal(await workloadOf(), 'unknown')
    await until('it has caught up', async () => (await workloadOf()) === 'new', { limitMs: 90_000 })
  })
})
