// Packets dropped for real: the module's counts beside the kernel's own.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { tcpPacketsSent } from '../support/counters.ts'
import type { TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { tc } from '../support/traffic-control.ts'
import { CLOSED_PORT, WatchedPods } from './watched-pods.ts'

let pods: WatchedPods
let a: TestNamespace
let b: TestNamespace

/** A bound socket with the smallest buffer, of a process that reads nothing because it is stopped. */
async function deafSocket(netns: TestNamespace, port: number): Promise<ChildProcess> {
  const program = `require('dgram').createSocket({ type: 'udp4', recvBufferSize: 1 })
    .bind(${port}, () => process.kill(process.pid, 'SIGSTOP'))`
  const child = spawn('nsenter', [`--net=${netns.path}`, process.execPath, '-e', program], { stdio: 'ignore' })
  const killed = () => child.kill('SIGKILL')
  process.once('exit', killed)
  child.once('exit', () => process.removeListener('exit', killed))
  while (!/^State:\tT/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'))) await sleep(10)
  return child
}

async function queueOf({ name }: TestNamespace): Promise<{ drops: number; qlen: number }> {
  const text = await tc(name, '-statistics', '-json', 'qdisc', 'show', 'dev', 'eth0', 'root')
  return JSON.parse(text)[0]
}

describe('drops', function () {
  this.timeout(40_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    pods = await WatchedPods.create()
    ;({ a, b } = pods)
  })
  afterEach(() => pods?.calm())
  after(() => pods?.remove())

  it('are the datagrams to a closed port, as the kernel counts them', async () => {
    const { ofA, ofB, protocols } = await pods.during(() => pods.datagrams(b.addresses.v4, 500))
    assert.equal(protocols.UdpNoPorts, 500)
    ofA.assertAre({})
    ofB.assertAre({ no_socket: 500 })
  })

  it('are what a full socket refuses, as the kernel counts it', async () => {
    const deaf = await deafSocket(b, 9000)
    try {
      const shape = { port: 9000, size: 1000 }
      const { ofA, ofB, protocols } = await pods.during(() => pods.datagrams(b.addresses.v4, 300, shape))
      assert.ok(protocols.UdpRcvbufErrors! > 200, JSON.stringify(protocols))
      ofA.assertAre({})
      ofB.assertAre({ socket_rcvbuff: protocols.UdpRcvbufErrors! })
    } finally {
      deaf.kill('SIGKILL')
    }
  })

  it('are what a queue refuses, as the queue counts it', async () => {
    await tc(a.name, 'qdisc', 'add', 'dev', 'eth0', 'root', 'tbf', 'rate', '1mbit', 'burst', '2000', 'limit', '4000')
    try {
      let queue = { drops: 0, qlen: 0 }
      const { ofA, ofB } = await pods.during(async () => {
        await pods.datagrams(b.addresses.v4, 200, { size: 1000 })
        do queue = await queueOf(a)
        while (queue.qlen > 0)
      })
      assert.ok(queue.drops > 100, `${queue.drops}`)
      ofA.assertSum(queue.drops)
      ofB.assertAre({ no_socket: 200 - queue.drops })
    } finally {
      await tc(a.name, 'qdisc', 'del', 'dev', 'eth0', 'root')
    }
  })

  it('are what a firewall refuses before the packet has a device', async function () {
    await a.run('nft', '--version').catch(() => skip(this, 'needs nft (the package nftables)'))
    const chain = 'add chain inet podweir out { type filter hook output priority 0; }'
    await a.run('nft', `add table inet podweir; ${chain}; add rule inet podweir out udp dport ${CLOSED_PORT} drop`)
    try {
      // The sender is told of it each time.
      const send = `for i in $(seq 60); do echo > /dev/udp/${b.addresses.v4}/${CLOSED_PORT}; done; true`
      const { ofA, ofB } = await pods.during(() => a.run('bash', '-c', send))
      ofA.assertAre({ netfilter_drop: 60 })
      ofB.assertAre({})
    } finally {
      await a.run('nft', 'delete table inet podweir')
    }
  })

  it('are none of what is delivered', async () => {
    await b.serve('udp-serve', '--port', 9001)
    const { ofA, ofB, protocols } = await pods.during(() => pods.datagrams(b.addresses.v4, 2000, { port: 9001 }))
    assert.equal(protocols.UdpInDatagrams, 2000)
    ofA.assertAre({})
    ofB.assertAre({})
  })

  it('are one for a datagram that came in fragments', async () => {
    const before = await pods.ofNobody('unknown')
    const { ofB, protocols } = await pods.during(() => pods.datagrams(b.addresses.v4, 100, { size: 60_000 }))
    assert.deepEqual([protocols.IpReasmOKs, protocols.UdpNoPorts], [100, 100])
    ofB.assertAre({ no_socket: 100 })
    // The other 40 of each hang on the first and say nothing of where they are. Others on this machine drop too.
    assert.ok((await pods.ofNobody('unknown')).since(before).sum() < 1000)
  })

  it('are as many as the packets that a super-packet stands for', async () => {
    const sink = await b.serve('tcp-serve', '--port', 5001, '--sink')
    pods.disturb('drop_data', { netns: b.path, device: 'eth0', direction: 'ingress' })
    const missing = async () => tcpPacketsSent(await a.protocols(), 'client') - (await b.protocols()).TcpInSegs!
    const before = { missing: await missing(), drops: await pods.ofB() }
    const sending = a.traffic('tcp-bulk', '--to', b.addresses.v4, '--port', 5001, '--bytes', 1_000_000)
    await sleep(700)
    // TCP goes on trying, now and then.
    let lost = 0
    let drops = before.drops
    do {
      lost = (await missing()) - before.missing
      drops = (await pods.ofB()).since(before.drops)
    } while (lost !== (await missing()) - before.missing)
    drops.assertAre({ tc_ingress: lost })
    assert.ok(lost >= 10, `${lost}`)
    pods.calm()
    assert.equal((await sending).complete, 1)
    await sink.stop()
  })

  it('are TCP’s duplicates, dropped by a socket when the packet has no device any more', async () => {
    pods.disturb('double_data', { netns: a.path, device: 'eth0', direction: 'egress' })
    const before = (await a.protocols()).TcpRetransSegs!
    const { ofB } = await pods.during(() => pods.requests(5002, 300))
    const again = (await a.protocols()).TcpRetransSegs! - before
    assert.ok(pods.disturbed >= 300)
    ofB.assertSum(pods.disturbed + again, 'tcp_')
  })
})
