// What others have on an interface is the same before, during and after, but for our own entries while we are there.
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import type { AttachRequest } from '../../lib/capture/flow-source.ts'
import { iproutePins, stateOf } from '../support/foreign-state.ts'
import { LoadCounter } from '../support/kernel.ts'
import { Namespaces, type Pod } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { tc } from '../support/traffic-control.ts'
import { drainRow, Sources } from './interface-row.ts'

const XDP = fileURLToPath(new URL('../../build/Release/xdp_pass.bpf.o', import.meta.url))

describe('what others have on a pod’s devices', function () {
  this.timeout(30_000)
  const sources = new Sources()
  const counters: LoadCounter[] = []
  let namespaces: Namespaces
  let one: Pod
  let two: Pod

  const removePins = iproutePins()
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
  })
  after(removePins)
  beforeEach(async () => {
    namespaces = new Namespaces()
    ;[one, two] = (await namespaces.createPods(2)) as [Pod, Pod]
    const { namespace, hostDevice } = one
    const match = ['protocol', 'all', 'u32', 'match', 'ip', 'dst', '192.0.2.1', 'flowid', '1:1']
    for (const [netns, device] of [
      [namespace.name, 'eth0'],
      [undefined, hostDevice],
    ] as const) {
      await tc(netns, 'qdisc', 'add', 'dev', device, 'clsact')
      await tc(netns, 'filter', 'add', 'dev', device, 'egress', 'prio', '1', ...match)
      await tc(netns, 'filter', 'add', 'dev', device, 'ingress', 'prio', '65000', ...match)
      const place = { ...(netns !== undefined && { netns: namespace.path }), device }
      counters.push(new LoadCounter({ ...place, direction: 'ingress', where: 'tcx-head' }))
      counters.push(new LoadCounter({ ...place, direction: 'egress', where: 'tcx-tail' }))
    }
    await tc(
      undefined,
      'qdisc',
      'add',
      'dev',
      hostDevice,
      'root',
      'tbf',
      'rate',
      '1gbit',
      'burst',
      '1mb',
      'limit',
      '1mb',
    )
    await namespace.run('ip', 'link', 'set', 'dev', 'eth0', 'xdpgeneric', 'obj', XDP, 'sec', 'xdp')
  })
  afterEach(async () => {
    await sources.close()
    for (const counter of counters.splice(0)) counter.close()
    await namespaces?.remove()
  })

  const state = () => stateOf([one.namespace.name, two.namespace.name], [one.hostDevice, two.hostDevice])

  async function send(count: number): Promise<void> {
    const server = await two.namespace.serve('udp-serve', '--port', 9000)
    await one.namespace.traffic('udp-send', '--to', two.namespace.addresses.v4, '--port', 9000, '--count', count)
    assert.equal((await server.stop()).received, count)
  }

  /** Without our filters, and without the programs in tcx chains that were not there before. */
  function withoutOurs(now: readonly string[], before: readonly string[]): string[] {
    const chainOf = (line: string) => /^(\S+ \S+ tcx \S+) (.*)$/.exec(line)
    const foreign = new Map(before.flatMap(line => (chainOf(line) ? [[chainOf(line)![1]!, chainOf(line)![2]!]] : [])))
    return now
      .filter(line => !line.includes('"bpf_name":"podweir_'))
      .map(line => {
        const [, place, chain] = chainOf(line) ?? []
        if (place === undefined) return line
        const known = foreign.get(place)!.split(' ')
        return `${place} ${chain!
          .split(' ')
          .filter(id => known.includes(id))
          .join(' ')}`
      })
  }

  for (const hook of ['tcx', 'clsact'] as const)
    for (const place of ['pod', 'host'] as const)
      it(`is left as it is by ${hook} at the ${place} end: filters, chains, shaping and XDP`, async () => {
        const before = await state()
        assert.ok(before.some(line => /eth0 1500 .*xdp [1-9]/.test(line)) && before.some(line => / tbf /.test(line)))
        const source = await sources.open()
        const where: AttachRequest =
          place === 'pod'
            ? { netns: one.namespace.path, device: 'eth0', place, hook }
            : { device: one.hostDevice, place, hook }
        const { interfaceSlot } = await source.attach(where)
        const during = await state()
        assert.notDeepEqual(during, before)
        assert.deepEqual(withoutOurs(during, before), before)
        await send(9)
        assert.equal((await drainRow(source, interfaceSlot)).fromPod.skbs, 9)
        await source.close()
        assert.deepEqual(await state(), before)
        await send(2)
      })

  it('can be a filter that ends the chain before our clsact filter: then what it takes is unobserved, exactly', async () => {
    const final = ['prio', '1', 'protocol', 'all', 'u32', 'match', 'u32', '0', '0', 'flowid', '1:1']
    await tc(two.namespace.name, 'qdisc', 'add', 'dev', 'eth0', 'clsact')
    await tc(two.namespace.name, 'filter', 'add', 'dev', 'eth0', 'ingress', ...final)
    const source = await sources.open()
    const request: AttachRequest = { netns: two.namespace.path, device: 'eth0', place: 'pod', hook: 'clsact' }
    const { interfaceSlot } = await source.attach(request)
    await send(6)
    const { toPod } = await drainRow(source, interfaceSlot)
    assert.deepEqual([toPod.skbs, toPod.devicePackets - toPod.unobservedSkbs], [0, 6])
  })

  it('can be an ingress qdisc that is made after we came by tcx', async () => {
    const source = await sources.open()
    const request: AttachRequest = { netns: two.namespace.path, device: 'eth0', place: 'pod', hook: 'auto' }
    const { interfaceSlot } = await source.attach(request)
    await tc(two.namespace.name, 'qdisc', 'add', 'dev', 'eth0', 'ingress')
    await tc(undefined, 'qdisc', 'add', 'dev', two.hostDevice, 'ingress')
    await send(5)
    assert.equal((await drainRow(source, interfaceSlot)).toPod.skbs, 5)
  })
})
