import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { UnattachedDevice } from '../../lib/aggregate/unattached-device.ts'
import { Attachments } from '../../lib/enrich/attachments.ts'
import type { WantedInterface } from '../../lib/enrich/interface-plan.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { Failure } from '../../lib/host/failure.ts'
import { capturedLog } from '../support/captured-log.ts'
import { PretendAttaching, vethIn } from '../support/pretend-attaching.ts'
import { until } from '../support/until.ts'

describe('attachments', () => {
  let source: PretendAttaching
  let attachments: Attachments
  let messages: string[]
  let unattached: UnattachedDevice[]

  function open(paceMs = 0): void {
    const captured = capturedLog()
    messages = captured.messages
    source = new PretendAttaching()
    unattached = []
    attachments = new Attachments({
      ...{ source, attach: 'auto', hook: 'auto', paceMs, log: captured.log, clock: systemClock },
      onAttached: () => {},
      onUnattached: device => unattached.push(device),
      backOff: { firstMs: 10, mostMs: 40 },
    })
  }
  beforeEach(() => open())
  afterEach(() => attachments.stop())

  const wanted = (name: string, parts: Partial<WantedInterface> = {}): WantedInterface => ({
    identity: { class: 'unknown', name, ports: new Set() },
    netns: `/run/netns/${name}`,
    subject: name,
    ...parts,
  })
  const states = () => [...attachments.interfaces()].map(({ state, reason }) => [state, reason].join(' ').trim())
  const refusal = (errno: number) => new Failure({ step: 'attach', subject: 'eth2', cause: 'x', remedy: 'y', errno })

  async function attachOne(parts: Partial<WantedInterface> = {}): Promise<WantedInterface> {
    const one = wanted('one', parts)
    source.linksIn.set(one.netns!, [vethIn(2)])
    await attachments.reconcile([one])
    await attachments.settled()
    assert.deepEqual(states(), ['attached'])
    return one
  }

  it('are made behind a reconciliation, which does not wait for them', async () => {
    let open = () => {}
    source.gate = new Promise(resolve => {
      open = resolve
    })
    source.linksIn.set('/run/netns/one', [vethIn(2), vethIn(3)])
    await attachments.reconcile([wanted('one')])
    assert.deepEqual(states(), ['wanted queued', 'wanted queued'])
    await attachments.reconcile([])
    assert.deepEqual(states(), [])
    open()
    await attachments.settled()
    // Nobody wanted the first one any more when it was made, and the second was not begun.
    assert.deepEqual([source.requests.length, source.detached], [1, [1]])
  })

  it('of new pods overtake those of the start', async () => {
    open(30)
    const names = ['a', 'b', 'c', 'new']
    for (const [i, name] of names.entries()) source.linksIn.set(`/run/netns/${name}`, [vethIn(i + 1)])
    await attachments.reconcile(names.slice(0, 3).map(name => wanted(name)))
    await attachments.reconcile(names.map(name => wanted(name)))
    await attachments.settled()
    assert.deepEqual(
      source.requests.map(({ device }) => device),
      ['eth1', 'eth4', 'eth2', 'eth3'],
    )
  })

  it('stay when another path leads to their namespace, when their device is renamed, and when the pod is', async () => {
    await attachOne({ inode: 77 })
    const moved = wanted('two', { inode: 77, netns: '/proc/9/ns/net' })
    source.linksIn.set('/proc/9/ns/net', [vethIn(2, { name: 'renamed' })])
    await attachments.reconcile([moved])
    await attachments.settled()
    assert.deepEqual([source.requests.length, source.detached, states()], [1, [], ['attached']])
    assert.deepEqual([attachments.owner(1)?.identity.name, attachments.owner(1)?.device], ['two', 'eth2'])
  })

  it('name the namespace’s inode to who attaches', async () => {
    await attachOne({ inode: 77 })
    assert.deepEqual(source.requests, [
      { netns: '/run/netns/one', inode: 77, device: 'eth2', place: 'pod', hook: 'auto' },
    ])
  })

  it('are made again when somebody removes our programs, and counted', async () => {
    await attachOne()
    attachments.removed(1)
    attachments.removed(1)
    assert.deepEqual([states(), source.reattached], [['wanted removed'], []])
    await until('it is attached', () => states()[0] === 'attached')
    assert.deepEqual([source.reattached, source.detached, attachments.reattachments], [[1], [], 1])
    assert.equal(messages.filter(message => /somebody removed our programs/.test(message)).length, 1)
  })

  it('that can’t be made again are tried again, later each time, and say why', async () => {
    await attachOne()
    source.refusal = refusal(16)
    attachments.removed(1)
    await until('three attempts', () => source.reattached.length === 3)
    assert.deepEqual([states(), attachments.reattachments], [['failed qdisc'], 0])
    assert.equal(messages.filter(message => /attach eth2: x/.test(message)).length, 1)
    source.refusal = undefined
    await until('it is attached', () => states()[0] === 'attached')
    assert.equal(attachments.reattachments, 1)
  })

  it('that fail are tried again without being asked', async () => {
    source.refusal = refusal(1)
    source.linksIn.set('/run/netns/one', [vethIn(2)])
    await attachments.reconcile([wanted('one')])
    await until('a second attempt', () => source.requests.length >= 2)
    assert.deepEqual(states(), ['failed permission'])
    source.refusal = undefined
    await until('it is attached', () => states()[0] === 'attached')
  })

  it('whose device went while they waited are nobody’s failure', async () => {
    source.refusal = refusal(19)
    source.linksIn.set('/run/netns/one', [vethIn(2)])
    await attachments.reconcile([wanted('one')])
    await attachments.settled()
    assert.deepEqual(states(), ['wanted absent'])
    await attachments.reconcile([])
    assert.deepEqual(states(), [])
    await sleep(30)
    assert.equal(source.requests.length, 1)
  })

  it('end with their device, and one like it in its place is attached anew at once', async () => {
    await attachOne()
    await attachments.lost(1)
    await attachments.settled()
    assert.deepEqual([source.detached, source.requests.length, states()], [[1], 2, ['attached']])
    assert.equal([...attachments.interfaces()][0]!.attachment!.interfaceSlot, 2)
  })

  it('past which packets go are degraded, and stay attached', async () => {
    await attachOne()
    attachments.bypassed(1)
    attachments.bypassed(1)
    assert.deepEqual([states(), source.detached], [['degraded bypass'], []])
    assert.equal(messages.filter(message => /past eth2/.test(message)).length, 1)
  })

  it('say what the device counted from when it was wanted until it was attached, in a counter that never falls', async () => {
    const counted = (transmitPackets: number, receivePackets: number) =>
      source.linksIn.set('/run/netns/one', [vethIn(2, { transmitPackets, receivePackets })])
    const unobserved = () => unattached.map(each => ({ ...each.unobserved }))
    source.refusal = refusal(16)
    counted(100, 10)
    await attachments.reconcile([wanted('one')])
    assert.deepEqual(unobserved(), [], 'what was there before is nobody’s loss')
    await attachments.settled()
    counted(103, 10)
    await attachments.reconcile([wanted('one')])
    assert.deepEqual(unobserved(), [{ transmit: 3, receive: 0 }])
    counted(104, 15)
    await attachments.reconcile([wanted('one')])
    source.refusal = undefined
    source.countedBefore = { transmit: 110, receive: 15 }
    await until('it is attached', () => states()[0] === 'attached')
    assert.deepEqual(unobserved(), [{ transmit: 10, receive: 5 }])
    assert.ok(unattached[0]!.endedAtMs !== undefined)
    counted(200, 200)
    await attachments.reconcile([wanted('one')])
    assert.deepEqual(unobserved(), [{ transmit: 10, receive: 5 }])
  })

  it('say all that a device ever counted that came while it was wanted', async () => {
    const known = new Set<string>()
    source.linksIn.set('/run/netns/one', [vethIn(2, { transmitPackets: 7, receivePackets: 0 })])
    source.countedBefore = { transmit: 9, receive: 1 }
    await attachments.reconcile([wanted('one', { known })])
    await attachments.settled()
    assert.deepEqual(unattached[0]!.unobserved, { transmit: 9, receive: 1 })
    assert.equal(known.size, 1)
    // Let go and wanted again, it is an old one.
    await attachments.reconcile([])
    source.linksIn.set('/run/netns/one', [vethIn(2, { transmitPackets: 9, receivePackets: 1 })])
    await attachments.reconcile([wanted('one', { known })])
    await attachments.settled()
    assert.deepEqual([unattached.length, attachments.endedUnread], [1, 0])
  })

  it('say nothing of what a device counts while it is being attached: we may have seen it', async () => {
    const counted = (transmitPackets: number) =>
      source.linksIn.set('/run/netns/one', [vethIn(2, { transmitPackets, receivePackets: 0 })])
    const known = new Set<string>()
    counted(0)
    const { promise: made, resolve: make } = Promise.withResolvers<void>()
    source.gate = made
    await attachments.reconcile([wanted('one', { known })])
    await until('it is being attached', () => source.requests.length === 1)
    counted(65)
    await attachments.reconcile([wanted('one', { known })])
    assert.deepEqual(unattached, [])
    make()
    await attachments.settled()
    assert.deepEqual([states(), unattached], [['attached'], []])
  })

  it('say it of a device that was waited for, and not of hardware, which may have counted elsewhere', async () => {
    source.countedBefore = { transmit: 9, receive: 1 }
    const counted = { transmitPackets: 9, receivePackets: 1 }
    await attachments.reconcile([wanted('one'), wanted('two')])
    source.linksIn.set('/run/netns/one', [vethIn(2, counted)])
    source.linksIn.set('/run/netns/two', [vethIn(2, { ...counted, kind: '', peerIndex: 0 })])
    await attachments.reconcile([wanted('one'), wanted('two')])
    await attachments.settled()
    assert.deepEqual(
      unattached.map(({ owner, unobserved }) => [owner.identity.name, unobserved.transmit]),
      [['one', 9]],
    )
  })

  it('read what can’t be attached when they are told to, and say how many went unread', async () => {
    const counted = (transmitPackets: number) =>
      source.linksIn.set('/run/netns/one', [vethIn(2, { transmitPackets, receivePackets: 0 })])
    source.refusal = refusal(16)
    counted(5)
    await attachments.reconcile([wanted('one')])
    await attachments.settled()
    counted(8)
    await attachments.readFailed()
    assert.equal(unattached[0]!.unobserved.transmit, 3)
    source.linksIn.set('/run/netns/one', [vethIn(2, { address: '02:00:00:00:00:99', transmitPackets: 90 })])
    await attachments.readFailed()
    assert.equal(unattached[0]!.unobserved.transmit, 3, 'another device in its place')
    await attachments.reconcile([])
    assert.equal(attachments.endedUnread, 1)
  })

  it('are made once where the inventory names both ends of a pair', async () => {
    source.linksIn.set('/run/netns/one', [vethIn(2), vethIn(2, { address: '02:00:00:00:00:99' })])
    await attachments.reconcile([wanted('one')])
    await attachments.settled()
    assert.deepEqual(states().sort(), ['attached', 'failed duplicate'])
  })
})
