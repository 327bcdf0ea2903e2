// Pods of the host network that serve: real sockets in cgroups of pods, known by nothing but these.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { AgentFolder } from '../agent/agent-folder.ts'
import { CgroupProcess, hasCgroups } from '../support/cgroup-process.ts'
import { ExportedEdges } from '../support/exported-edges.ts'
import { pointsOf, requestsIn } from '../support/exported-points.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const PROGRAM = fileURLToPath(new URL('../../build/Release/podweir-traffic', import.meta.url))
const UIDS = {
  exporter: '0e0e0e0e-1111-4222-8333-444444444444',
  ingress: '1a1a1a1a-1111-4222-8333-444444444444',
}

describe('servers of the host network', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let node: TestNamespace
  let web: TestNamespace
  let folder: AgentFolder
  const processes: CgroupProcess[] = []

  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    if (!hasCgroups) skip(this, 'needs cgroup v2')
  })

  beforeEach(async () => {
    namespaces = new Namespaces()
    const made = await namespaces.createRouted(1, { ipv6: true })
    node = made.node
    web = made.pods[0]!
    await web.offload('eth0', 'off')
    folder = new AgentFolder()
  })

  afterEach(async () => {
    await Promise.all(processes.splice(0).map(each => each.end()))
    await folder?.remove()
    await namespaces?.remove()
  })

  /** A server on the node, in the cgroup of a container of that pod, or in none of a pod. */
  async function serve(pod: keyof typeof UIDS | undefined, role: string, port: number): Promise<CgroupProcess> {
    const path = pod ? `kubepods/burstable/pod${UIDS[pod]}/${'ab'.repeat(32)}` : 'system.slice/sshd.service'
    const server = await CgroupProcess.start(node.path, path, [PROGRAM, role, '--port', `${port}`, '--for', '60'])
    processes.push(server)
    const protocol = role.startsWith('tcp') ? '-t' : '-u'
    await until('it serves', async () => (await node.run('ss', '-Hlna', protocol, `sport = :${port}`)) !== '')
    return server
  }

  async function started(): Promise<void> {
    const hostPod = (name: keyof typeof UIDS) =>
      `  - { namespace: infra, name: ${name}-1, uid: ${UIDS[name]}, workload: { kind: DaemonSet, name: ${name} } }`
    const inventory = `pods:
  - { namespace: shop, name: web-1, addresses: [${web.addresses.v4}], workload: { kind: Deployment, name: web }, interfaces: [{ netns: ${web.path}, device: eth0 }] }
${hostPod('exporter')}
${hostPod('ingress')}
`
    await folder.started({ inventory }, { through: ['nsenter', `--net=${node.path}`] })
  }

  const exported = () => readFileSync(join(folder.path, 'metrics.jsonl'), 'utf8')

  /** Bytes of requests by server and port, when all of them are exported. */
  async function served(): Promise<Record<string, number>> {
    let before = ''
    await until(
      'nothing moves any more',
      async () => {
        const { packets } = (await folder.status()).ledger.delivery
        const now = JSON.stringify(packets)
        const isStill = now === before && packets.queued === 0
        before = now
        return isStill
      },
      { everyMs: 500 },
    )
    const found: Record<string, number> = {}
    for (const edge of new ExportedEdges(exported()).of('podweir.network.flow.bytes'))
      if (edge.direction === 'request' && edge.transport !== 'icmp' && edge.value > 0)
        found[`${edge.destination}:${edge.port}/${edge.transport}`] = edge.value
    return found
  }

  /** What `web` sent meanwhile, by its own device. */
  async function sending(work: () => Promise<unknown>): Promise<number> {
    const { transmitBytes } = await web.device()
    await work()
    return (await web.device()).transmitBytes - transmitBytes
  }

  it('are the pods that hold the sockets, over TCP and UDP, IPv4 and IPv6; the node’s own stay the node’s', async () => {
    await serve('exporter', 'tcp-serve', 9100)
    await serve('ingress', 'udp-serve', 8125)
    await serve(undefined, 'tcp-serve', 10_250)
    await started()
    const ask = (address: string, port: number, count: number) =>
      web.traffic('tcp-request', '--to', address, '--port', port, '--count', count, '--connections', 'new')
    const { v4, v6 } = node.addresses
    const exporter4 = await sending(() => ask(v4, 9100, 7))
    const exporter6 = await sending(() => ask(v6, 9100, 5))
    const kubelet = await sending(() => ask(v4, 10_250, 3))
    const ingress = await sending(() => web.traffic('udp-send', '--to', v4, '--port', 8125, '--count', 11))
    const seen = await served()
    assert.deepEqual(
      new Set(Object.keys(seen)),
      new Set(['DaemonSet/exporter:9100/tcp', 'DaemonSet/ingress:8125/udp', 'node:10250/tcp']),
    )
    const bytes = new ExportedEdges(exported()).of('podweir.network.flow.bytes')
    const toExporter = bytes.filter(each => each.destination === 'DaemonSet/exporter').map(({ value }) => value)
    assert.deepEqual(toExporter.sort(), [exporter4, exporter6].sort())
    assert.deepEqual([seen['node:10250/tcp'], seen['DaemonSet/ingress:8125/udp']], [kubelet, ingress])
    const found = pointsOf(requestsIn(exported()), 'podweir.agent.attribution')
    const socket = found.filter(({ attributes }) => attributes?.[0]?.value.stringValue === 'socket')
    assert.ok(Number(socket.at(-1)!.asInt) >= exporter4 + exporter6 + ingress)
  })

  it('are another when a port changes hands', async () => {
    const first = await serve('exporter', 'tcp-serve', 9100)
    await started()
    const ask = () => web.traffic('tcp-request', '--to', node.addresses.v4, '--port', 9100, '--count', 4)
    const before = await sending(ask)
    assert.deepEqual(await served(), { 'DaemonSet/exporter:9100/tcp': before })
    await first.end()
    await serve('ingress', 'tcp-serve', 9100)
    const after = await sending(ask)
    assert.deepEqual(await served(), {
      'DaemonSet/exporter:9100/tcp': before,
      'DaemonSet/ingress:9100/tcp': after,
    })
  })
})
