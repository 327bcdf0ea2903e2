// What is out of scope gets no slot and is counted as filtered, packet by packet and in both directions alike.
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'mocha'
import { Failed, FlowFlag, packetClasses } from '../../lib/capture/flow-batch.ts'
import { fillFlows, key32, readMap } from '../support/kernel.ts'
import { type Envelope, icmp, ip, Protocol, tcp, udp } from '../support/packet.ts'
import { type FewRules, packetScopeOf } from '../support/scope.ts'
import { Tally } from '../support/tally.ts'
import { CountedInterface, flowRows, startedRows } from './counted-interface.ts'
import { idleNetwork } from './idle-network.ts'

const ETHERNET_BYTES = 14
const pods: Record<string, string> = { '4': '10.0.0.1', '6': 'fd00::1' }

/** From our pod to `remote`, and the answer. */
type Both = readonly [Uint8Array, Uint8Array]
type Build = (envelope: Envelope, ports: { sourcePort: number; destinationPort: number }) => Uint8Array

function both(remote: string, localPort: number, remotePort: number, build: Build): Both {
  const pod = pods[remote.includes(':') ? '6' : '4']!
  const out = build({ from: pod, to: remote }, { sourcePort: localPort, destinationPort: remotePort })
  const back = build({ from: remote, to: pod }, { sourcePort: remotePort, destinationPort: localPort })
  return [out, back]
}

const overTcp = (remote: string, localPort = 40_000, remotePort = 80) =>
  both(remote, localPort, remotePort, (envelope, ports) => tcp({ ...envelope, ...ports }))
const overUdp = (remote: string, localPort = 40_000, remotePort = 53) =>
  both(remote, localPort, remotePort, (envelope, ports) => udp({ ...envelope, ...ports, payload: 30 }))
const overSctp = (remote: string, localPort: number, remotePort: number) =>
  both(remote, localPort, remotePort, (envelope, { sourcePort, destinationPort }) => {
    const header = Buffer.alloc(12)
    header.writeUInt16BE(sourcePort, 0)
    header.writeUInt16BE(destinationPort, 2)
    return ip(Protocol.sctp, { ...envelope, payload: header })
  })
const ping = (remote: string) =>
  both(remote, 0, 0, envelope => icmp({ ...envelope, type: remote.includes(':') ? 128 : 8, identifier: 80 }))
const laterFragment = (remote: string) =>
  both(remote, 0, 0, envelope =>
    ip(Protocol.udp, { ...envelope, fragment: { offset: 1480, more: false }, payload: 100 }),
  )

interface Case {
  readonly name: string
  readonly rules: FewRules
  readonly counted: readonly Both[]
  readonly filtered: readonly Both[]
}

const cases: readonly Case[] = [
  {
    name: 'an excluded block of IPv4',
    rules: { exclude: { cidrs: ['10.9.0.0/16'] } },
    counted: [overTcp('10.8.255.255'), overTcp('10.10.0.0'), overTcp('fd00::2')],
    filtered: [overTcp('10.9.0.0'), overUdp('10.9.255.255'), ping('10.9.1.1'), laterFragment('10.9.1.1')],
  },
  {
    name: 'an excluded block of IPv6',
    rules: { exclude: { cidrs: ['2001:db8:1::/48'] } },
    counted: [overTcp('2001:db8:2::1'), overTcp('2001:db8::1'), overTcp('32.1.13.184')],
    filtered: [overTcp('2001:db8:1::'), overUdp('2001:db8:1:ffff:ffff:ffff:ffff:ffff'), ping('2001:db8:1::5')],
  },
  {
    name: 'included blocks: all other addresses, of the other family too',
    rules: { include: { cidrs: ['10.9.0.0/16', '10.11.1.1/32'] } },
    counted: [overTcp('10.9.3.3'), overTcp('10.11.1.1')],
    filtered: [overTcp('10.11.1.2'), overTcp('fd00::2')],
  },
  {
    name: 'what the longest block says, whichever side it is on',
    rules: {
      include: { cidrs: ['10.0.0.0/8', '10.1.2.0/24', 'fd00::/16'] },
      exclude: { cidrs: ['10.1.0.0/16', '10.1.2.7/32', 'fd00::7/128'] },
    },
    counted: [overTcp('10.2.0.1'), overTcp('10.1.2.8'), overTcp('fd00::8')],
    filtered: [overTcp('10.1.3.1'), overTcp('10.1.2.7'), overTcp('11.0.0.1'), overTcp('fd00::7')],
  },
  {
    name: 'everything and nothing: the block of length 0',
    rules: { include: { cidrs: ['192.0.2.0/24'] }, exclude: { cidrs: ['0.0.0.0/0', '::/0'] } },
    counted: [overTcp('192.0.2.1')],
    filtered: [overTcp('192.0.3.1'), overTcp('fd00::2')],
  },
  {
    name: 'an excluded port at either end, of every transport',
    rules: { exclude: { ports: ['9100'] } },
    counted: [overTcp('10.0.0.2'), overTcp('10.0.0.2', 9101, 9099), ping('10.0.0.2'), laterFragment('10.0.0.2')],
    filtered: [
      ...[overTcp('10.0.0.2', 40_000, 9100), overTcp('10.0.0.2', 9100, 40_000)],
      ...[overUdp('fd00::2', 40_000, 9100), overSctp('10.0.0.2', 9100, 40_000)],
    ],
  },
  {
    name: 'a port of one transport, and a range to the highest port',
    rules: { exclude: { ports: ['53/udp', '65000-65535/tcp', '1/sctp'] } },
    counted: [overTcp('10.0.0.2', 40_000, 53), overUdp('10.0.0.2', 65_535, 7), overTcp('10.0.0.2', 64_999, 80)],
    filtered: [
      ...[overUdp('10.0.0.2'), overTcp('10.0.0.2', 65_535, 80), overTcp('fd00::2', 65_000, 80)],
      overSctp('10.0.0.2', 1, 2),
    ],
  },
  {
    name: 'included ports: all others, and what has no ports',
    rules: { include: { ports: ['80/tcp', '443'] }, exclude: { ports: ['40001'] } },
    counted: [overTcp('10.0.0.2'), overTcp('fd00::2', 80, 40_000), overUdp('10.0.0.2', 40_000, 443)],
    filtered: [
      ...[overUdp('10.0.0.2', 40_000, 80), overTcp('10.0.0.2', 40_000, 81), overTcp('10.0.0.2', 40_001, 80)],
      ...[ping('10.0.0.2'), laterFragment('10.0.0.2'), laterFragment('fd00::2')],
    ],
  },
  {
    name: 'what either kind of rule leaves out',
    rules: { include: { cidrs: ['10.9.0.0/16'], ports: ['80'] } },
    counted: [overTcp('10.9.0.1')],
    filtered: [overTcp('10.8.0.1'), overTcp('10.9.0.1', 40_000, 81)],
  },
]

describe('the scope', function () {
  this.timeout(30_000)
  const network = idleNetwork()
  let current: CountedInterface | undefined

  async function open(rules: FewRules, flowLimit = 1024): Promise<CountedInterface> {
    current = await CountedInterface.open(network.one, { flowLimit, scope: packetScopeOf(rules) })
    return current
  }
  afterEach(async () => {
    await current?.close()
    current = undefined
  })

  for (const { name, rules, counted, filtered } of cases)
    it(`leaves out ${name}`, async () => {
      const interfaceUnderTest = await open(rules)
      // Twice: a second packet must not find what the first one left behind. The answer first: it decides alike.
      for (const [out, back] of [...counted, ...filtered, ...counted, ...filtered]) {
        interfaceUnderTest.receive(back)
        interfaceUnderTest.send(out)
      }
      const batch = await interfaceUnderTest.drain()
      const { fromPod, toPod } = interfaceUnderTest.totals(batch)
      const bytes = (packets: readonly Both[], i: 0 | 1) => packets.reduce((sum, each) => sum + 2 * each[i].length, 0)
      assert.equal(batch.started.length, counted.length)
      assert.ok(flowRows(batch).every(row => row.fromPodPackets === 2 && row.toPodPackets === 2))
      assert.deepEqual([fromPod.filteredPackets, toPod.filteredPackets], [2 * filtered.length, 2 * filtered.length])
      assert.deepEqual([fromPod.filteredBytes, toPod.filteredBytes], [bytes(filtered, 0), bytes(filtered, 1)])
      const tally = new Tally()
      tally.add(batch)
      assert.deepEqual(tally.gaps(), [])
    })

  it('leaves out all of an interface from when it is told to, and takes new flows again when it is told to', async () => {
    const counted = await open({ exclude: { namespaces: ['kube-system'] } })
    const [old] = overTcp('10.0.0.2')
    const [fresh] = overTcp('10.0.0.3')
    counted.send(old)
    await counted.source.setOutOfScope(counted.interfaceSlot, true)
    counted.send(old)
    counted.send(fresh)
    const out = await counted.drain()
    assert.deepEqual(
      flowRows(out).map(row => row.fromPodPackets),
      [2],
    )
    assert.equal(counted.totals(out).fromPod.filteredPackets, 1)
    await counted.source.setOutOfScope(counted.interfaceSlot, false)
    counted.send(fresh)
    const back = await counted.drain()
    assert.deepEqual(
      startedRows(back).map(({ remote }) => remote),
      ['10.0.0.3'],
    )
    assert.equal(counted.totals(back).fromPod.filteredPackets, 1)
  })

  it('gives an interface’s slot back as one in scope', async () => {
    const counted = await open({ exclude: { namespaces: ['kube-system'] } })
    const map = counted.map('scope_interfaces')
    await counted.source.setOutOfScope(counted.interfaceSlot, true)
    assert.equal(readNumber(map, counted.interfaceSlot), 1)
    await counted.source.detach(counted.interfaceSlot)
    await counted.drain()
    assert.equal(readNumber(map, counted.interfaceSlot), 0)
    await assert.rejects(counted.source.setOutOfScope(counted.interfaceSlot, true), /set the scope of/)
  })

  it('comes before collapsing: what is left out takes no slot of any kind', async () => {
    const counted = await open({ exclude: { cidrs: ['0.0.0.0/0'] } }, 16)
    fillFlows(counted.outProgram, overUdp('10.0.0.2')[0], 200, 7)
    const batch = await counted.drain()
    assert.deepEqual([batch.liveFlows, batch.collapsedFlows], [0, 0])
    assert.equal(counted.totals(batch).fromPod.filteredPackets, 200)
    assert.equal(counted.totals(batch).fromPod.overflowPackets, 0)
  })

  it('has no say in ARP and what is malformed', async () => {
    const counted = await open({ exclude: { cidrs: ['0.0.0.0/0', '::/0'] } })
    const [packet] = overTcp('10.0.0.2')
    counted.send(packet.slice(0, 40))
    counted.send(packet)
    const { fromPod } = counted.totals(await counted.drain())
    assert.deepEqual([fromPod.otherPackets, fromPod.filteredPackets], [1, 1])
  })

  it('keeps filtered fragments out of the class `fragment`, which is a part of the flows', async () => {
    const counted = await open({ exclude: { cidrs: ['10.9.0.0/16'] } })
    counted.send(laterFragment('10.9.0.1')[0])
    counted.send(laterFragment('10.8.0.1')[0])
    const { fromPod } = counted.totals(await counted.drain())
    assert.equal(fromPod.classPackets[packetClasses.indexOf('fragment')], 1)
  })

  for (const { name, peer, router, type } of [
    { name: 'IPv4', peer: '10.0.0.2', router: '10.0.0.254', type: 3 },
    { name: 'IPv6', peer: 'fd00::2', router: 'fd00::ff', type: 1 },
  ])
    it(`lets an ICMP error over ${name} that is left out tell of the flow that it quotes`, async () => {
      const counted = await open({ include: { ports: ['80'] } })
      const [syn] = both(peer, 40_000, 80, (envelope, ports) => tcp({ ...envelope, ...ports, flags: 'S' }))
      const pod = pods[peer.includes(':') ? '6' : '4']!
      counted.send(syn)
      counted.receive(icmp({ from: router, to: pod, type, code: 1, payload: syn.slice(ETHERNET_BYTES) }))
      const batch = await counted.drain()
      assert.deepEqual(
        startedRows(batch).filter(({ flags }) => flags & FlowFlag.icmpType),
        [],
      )
      assert.equal(flowRows(batch)[0]!.failed, Failed.unreachable)
      assert.equal(counted.totals(batch).toPod.filteredPackets, 1)
    })
})

function readNumber(map: number, key: number): number {
  return Buffer.from(readMap(map, key32(key))!).readUInt32LE(0)
}
