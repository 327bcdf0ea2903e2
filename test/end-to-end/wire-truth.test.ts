import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { Agent, type AgentPod } from '../support/agent.ts'
import { type Collector, prepareCollector, startCollector, type Where } from '../support/collector.ts'
import { type DeviceCounters, readProcNet, tcpPacketsSent } from '../support/counters.ts'
import { Namespaces, type WireHop } from '../support/namespaces.ts'
import { comeToRest } from '../support/rest.ts'
import { skip } from '../support/skip.ts'

type Sums = Readonly<Record<'transmitPackets' | 'transmitBytes' | 'receivePackets' | 'receiveBytes', bigint>>

const request = { 'podweir.flow.direction': 'request' }
const response = { 'podweir.flow.direction': 'response' }

let folder = ''
let namespaces: Namespaces
let hop: WireHop
let collector: Collector
let agent: Agent

/** What crossed the wire since its devices exist; nothing moved on it before the agent was attached. */
async function wireTruth(): Promise<Sums> {
  const { transmitDropped, receiveDropped, ...wire } = await hop.wire()
  assert.deepEqual({ transmitDropped, receiveDropped }, { transmitDropped: 0, receiveDropped: 0 })
  return asSums(wire)
}

function asSums(counters: Omit<DeviceCounters, 'transmitDropped' | 'receiveDropped'>): Sums {
  const { transmitPackets, transmitBytes, receivePackets, receiveBytes } = counters
  return {
    transmitPackets: BigInt(transmitPackets),
    transmitBytes: BigInt(transmitBytes),
    receivePackets: BigInt(receivePackets),
    receiveBytes: BigInt(receiveBytes),
  }
}

/** Of the workloads that a opened flows to, as a sends requests and receives responses. */
function flowSums(where: Where = {}): Sums {
  return {
    transmitPackets: collector.sums('podweir.network.flow.packets', { ...where, ...request }),
    transmitBytes: collector.sums('podweir.network.flow.bytes', { ...where, ...request }),
    receivePackets: collector.sums('podweir.network.flow.packets', { ...where, ...response }),
    receiveBytes: collector.sums('podweir.network.flow.bytes', { ...where, ...response }),
  }
}

function podSums(pod: string): Sums {
  const of = (metric: string, direction: string) =>
    collector.sums(metric, { 'k8s.pod.name': pod, 'network.io.direction': direction })
  return {
    transmitPackets: of('podweir.pod.network.packets', 'transmit'),
    transmitBytes: of('podweir.pod.network.io', 'transmit'),
    receivePackets: of('podweir.pod.network.packets', 'receive'),
    receiveBytes: of('podweir.pod.network.io', 'receive'),
  }
}

/** b's transmit is a's receive. */
function seenFromB({ transmitPackets, transmitBytes, receivePackets, receiveBytes }: Sums): Sums {
  return {
    transmitPackets: receivePackets,
    transmitBytes: receiveBytes,
    receivePackets: transmitPackets,
    receiveBytes: transmitBytes,
  }
}

function opened(transport: string): bigint {
  return collector.sums('podweir.network.connection.opened', { 'network.transport': transport })
}

function overflow(metric: string): bigint {
  return collector.sums(metric, { 'podweir.ledger.stage': 'overflow' })
}

async function watch(pods: readonly AgentPod[], receiver: Readonly<Record<string, unknown>> = {}): Promise<void> {
  agent = await Agent.start({ folder, pods, otlp: collector.endpoint, receiver })
}

/** Waits until nothing moves, has the agent export for the last time, and completes the Collector's file. */
async function finish(): Promise<void> {
  await comeToRest([hop.a.name, hop.b.name, hop.middle.name])
  const { code, stderr } = await agent.stop()
  assert.equal(code, 0, stderr)
  await collector.stop()
}

describe('the Collector’s file against the wire', function () {
  this.timeout(60_000)

  before('build the Collector, once', async function () {
    this.timeout('15m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    folder = mkdtempSync(join(tmpdir(), 'podweir-wire-'))
    await prepareCollector({ folder })
    rmSync(folder, { recursive: true })
  })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-wire-'))
    namespaces = new Namespaces()
    hop = await namespaces.wireHop({ ipv6: true })
    collector = await startCollector({ folder })
  })

  afterEach(async () => {
    await agent?.stop()
    await collector?.stop()
    await namespaces?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('holds bulk TCP that leaves the pod in super-packets', async () => {
    await watch([
      { name: 'a', namespace: hop.a },
      { name: 'b', namespace: hop.b },
    ])
    await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
    await hop.a.traffic('tcp-bulk', '--to', hop.b.addresses.v4, '--port', 5001, '--bytes', 200_000_000)
    await finish()
    const wire = await wireTruth()
    assert.ok(wire.transmitBytes > 200_000_000n)
    assert.ok((await hop.a.device()).transmitPackets < Number(wire.transmitPackets) / 4, 'no super-packets')
    assert.deepEqual(flowSums(), wire)
    assert.deepEqual(podSums('a'), wire)
    assert.deepEqual(podSums('b'), seenFromB(wire))
    assert.equal(opened('tcp'), 1n)
    assert.equal(wire.transmitPackets, BigInt(tcpPacketsSent(await hop.a.protocols(), 'client')))
    assert.equal(wire.receivePackets, BigInt(tcpPacketsSent(await hop.b.protocols(), 'server')))
  })

  it('holds bulk TCP that the pod receives merged', async () => {
    // A veth merges what comes from an end that segments by itself.
    await hop.middle.offload('port', 'off')
    await hop.a.offload('eth0', 'on')
    await watch([{ name: 'a', namespace: hop.a }])
    await hop.a.serve('tcp-serve', '--port', 5001, '--sink')
    await hop.b.traffic('tcp-bulk', '--to', hop.a.addresses.v4, '--port', 5001, '--bytes', 50_000_000)
    await finish()
    const wire = await wireTruth()
    const { IpInReceives } = await hop.a.protocols()
    assert.ok(IpInReceives! < Number(wire.receivePackets) / 2, 'nothing was merged')
    assert.deepEqual(podSums('a'), wire)
  })

  it('holds 2,000 short TCP connections', async () => {
    await watch([
      { name: 'a', namespace: hop.a },
      { name: 'b', namespace: hop.b },
    ])
    await hop.b.serve('tcp-serve', '--port', 8080, '--request', 100, '--response', 3000)
    const exchange = ['--request', 100, '--response', 3000, '--connections', 'each', '--parallel', 8] as const
    await hop.a.traffic('tcp-request', '--to', hop.b.addresses.v4, '--port', 8080, '--count', 2000, ...exchange)
    await finish()
    const wire = await wireTruth()
    const [a, b] = [await hop.a.protocols(), await hop.b.protocols()]
    assert.equal(a.TcpActiveOpens, 2000)
    assert.equal(b.TcpPassiveOpens, 2000)
    assert.equal(opened('tcp'), 2000n)
    assert.deepEqual(flowSums(), wire)
    assert.deepEqual(podSums('a'), wire)
    assert.deepEqual(podSums('b'), seenFromB(wire))
    const tcp = flowSums({ 'network.transport': 'tcp' })
    assert.equal(tcp.transmitPackets, BigInt(tcpPacketsSent(a, 'client')))
    assert.equal(tcp.receivePackets, BigInt(tcpPacketsSent(b, 'server')))
  })

  it('holds 50,000 datagrams over 5,000 five-tuples', async () => {
    await watch([
      { name: 'a', namespace: hop.a },
      { name: 'b', namespace: hop.b },
    ])
    await sendDatagrams(50_000, 5_000)
    await finish()
    const wire = await wireTruth()
    assert.equal(wire.transmitPackets, 50_000n)
    assert.equal((await hop.a.protocols()).UdpOutDatagrams, 50_000)
    assert.equal(opened('udp'), 5_000n)
    assert.deepEqual(flowSums(), wire)
    assert.deepEqual(podSums('a'), wire)
    assert.deepEqual(podSums('b'), seenFromB(wire))
  })

  it('holds IPv6 of TCP and UDP, and ICMP of both families, each by itself', async () => {
    await watch([
      { name: 'a', namespace: hop.a },
      { name: 'b', namespace: hop.b },
    ])
    const { v4, v6 } = hop.b.addresses
    await hop.b.serve('tcp-serve', '--port', 5001, '--sink')
    await hop.b.serve('udp-serve', '--port', 53, '--answer', '--response', 100)
    await hop.a.traffic('tcp-bulk', '--to', v6, '--port', 5001, '--bytes', 20_000_000)
    await hop.a.traffic('udp-send', '--to', v6, '--port', 53, '--count', 1500, '--tuples', 150, '--expect-answer')
    await hop.a.traffic('ping', '--to', v4, '--count', 30, '--interval', 0.01)
    await hop.a.traffic('ping', '--to', v6, '--count', 40, '--interval', 0.01, '--size', 1000)
    await finish()
    const [a, b] = [await hop.a.protocols(), await hop.b.protocols()]
    const packetsOf = (transport: string, type: string) => {
      const { transmitPackets, receivePackets } = flowSums({ 'network.transport': transport, 'network.type': type })
      return [Number(transmitPackets), Number(receivePackets)]
    }
    assert.deepEqual(flowSums(), await wireTruth())
    assert.deepEqual(packetsOf('tcp', 'ipv6'), [tcpPacketsSent(a, 'client'), tcpPacketsSent(b, 'server')])
    assert.deepEqual(packetsOf('udp', 'ipv6'), [a.Udp6OutDatagrams, b.Udp6OutDatagrams])
    assert.deepEqual(packetsOf('udp', 'ipv6'), [1500, 1500])
    assert.deepEqual(packetsOf('icmp', 'ipv4'), [a.IcmpOutMsgs, b.IcmpOutMsgs])
    assert.deepEqual(packetsOf('icmp', 'ipv4'), [30, 30])
    assert.deepEqual(packetsOf('icmp', 'ipv6'), [a.Icmp6OutMsgs, b.Icmp6OutMsgs])
    assert.deepEqual(packetsOf('icmp', 'ipv6'), [40, 40])
    assert.deepEqual([opened('tcp'), opened('udp'), opened('icmp')], [1n, 150n, 0n])
  })

  it('holds every packet of a flow table that is too small, only not each flow by itself', async () => {
    await watch([{ name: 'a', namespace: hop.a }], { flow_limit: 1024 })
    await sendDatagrams(50_000, 5_000)
    await finish()
    const wire = await wireTruth()
    assert.deepEqual(podSums('a'), wire)
    const flow = flowSums()
    assert.deepEqual([flow.receivePackets, flow.receiveBytes], [0n, 0n])
    assert.ok(opened('udp') < 5_000n)
    assert.equal(flow.transmitPackets + overflow('podweir.ledger.packets'), wire.transmitPackets)
    assert.equal(flow.transmitBytes + overflow('podweir.ledger.bytes'), wire.transmitBytes)
  })
})

/** The sender holds one socket for each ten tuples: the kernel's own count of sockets says so. */
async function sendDatagrams(count: number, tuples: number): Promise<void> {
  await hop.b.serve('udp-serve', '--port', 9000, '--ports', 10)
  const shape = ['--count', count, '--size', 100, '--tuples', tuples, '--ports', 10] as const
  const sending = hop.a.traffic('udp-send', '--to', hop.b.addresses.v4, '--port', 9000, ...shape)
  const sockets = async () => Number(/^UDP: inuse (\d+)/m.exec(await readProcNet('sockstat', hop.a.name))?.[1])
  let most = 0
  let done = false
  const ended = sending.finally(() => {
    done = true
  })
  while (!done) most = Math.max(most, await sockets())
  await ended
  assert.equal(most, tuples / 10)
}
