// Connections that fail on a real node, for reasons that the API server knows.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import type { FlowRecord } from '../../lib/signals/flow-record.ts'
import { buildKubernetes } from '../support/kubernetes.ts'
import { KubernetesNodes, type NodeAgent, type NodePod, needNodes } from '../support/kubernetes-nodes.ts'
import { until } from '../support/until.ts'
import { deployment, namespaceOf, service } from '../support/workloads.ts'

const NAMESPACE = 'shop'
const PORT = 9000
const SERVICE_PORT = 80
const NODE_PORT = 30_080

describe('causes of failed connections on a real Kubernetes node', function () {
  this.timeout(120_000)
  let folder: string
  let nodes: KubernetesNodes
  let agent: NodeAgent
  const pods = new Map<string, NodePod>()
  const addressOf = new Map<string, string>()

  before(async function () {
    this.timeout(2_400_000)
    needNodes(this)
    await buildKubernetes(this)
    folder = mkdtempSync(join(tmpdir(), 'podweir-nodes-'))
    nodes = await KubernetesNodes.start(folder, 1)
    const served = { port: SERVICE_PORT, target: PORT, protocol: 'TCP' } as const
    await nodes.apply(
      namespaceOf(NAMESPACE),
      deployment(NAMESPACE, 'client', {}),
      deployment(NAMESPACE, 'healthy', {}),
      deployment(NAMESPACE, 'unready', { isNeverReady: true }),
      deployment(NAMESPACE, 'leaving', {}),
      service(NAMESPACE, 'healthy', served),
      service(NAMESPACE, 'unready', { ...served, nodePort: NODE_PORT }),
      service(NAMESPACE, 'nobody', served),
    )
    agent = await nodes.agent(1, { retire: { connect_timeout: '2s', failed: '1m' } })
    for (const pod of await nodes.pods(NAMESPACE, 4)) pods.set(pod.name.split('-')[0]!, pod)
    const { items } = JSON.parse(await nodes.kubectl('-n', NAMESPACE, 'get', 'services', '-o', 'json'))
    for (const { metadata, spec } of items) addressOf.set(metadata.name, spec.clusterIP)
    await until(
      'the agent knows all',
      async () => {
        const { interfaces, cluster } = await agent.status()
        const attached = interfaces.filter(({ state }) => state === 'attached')
        return cluster.every(({ syncedAt }) => syncedAt !== undefined) && attached.length >= 4
      },
      { limitMs: 60_000, everyMs: 200 },
    )
  })

  after(async () => {
    await agent?.stop()
    await nodes?.stop()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  /** What is told of an attempt of `client`, once it has failed. */
  async function attempt(address: string, port: number): Promise<FlowRecord> {
    const to = ['--to', address, '--port', port, '--count', 1, '--timeout', 1] as const
    await nodes.traffic(pods.get('client')!.netns, 'silent', ...to)
    let failed: FlowRecord | undefined
    await until(`${address}:${port} has failed`, async () => {
      const flows = await agent.flows()
      failed = flows.find(
        ({ destination, failed, observer }) =>
          destination.address === address && destination.port === port && failed && observer === 'client',
      )
      return failed !== undefined
    })
    return failed!
  }

  it('are that a Service has no pods', async () => {
    const { cause, problems, destination } = await attempt(addressOf.get('nobody')!, SERVICE_PORT)
    assert.equal(cause, 'no_ready_endpoints')
    assert.equal(problems[1], 'no ready endpoints')
    assert.equal(destination.service, 'nobody')
  })

  it('are that a Service has no pod that is ready, by its address and by its node port', async () => {
    const { cause, destination } = await attempt(addressOf.get('unready')!, SERVICE_PORT)
    assert.deepEqual([cause, destination.workload], ['no_ready_endpoints', 'unready'])
    assert.equal((await attempt(nodes.address(1), NODE_PORT)).cause, 'no_ready_endpoints')
  })

  it('are that a Service has not the port', async () => {
    assert.equal((await attempt(addressOf.get('healthy')!, 81)).cause, 'no_such_port')
  })

  it('are that a pod is not ready', async () => {
    const { cause, failed } = await attempt(pods.get('unready')!.address, PORT)
    assert.deepEqual([cause, failed], ['pod_not_ready', 'refused'])
  })

  it('are none where the API server knows of nothing that is wrong', async () => {
    const direct = await attempt(pods.get('healthy')!.address, PORT)
    assert.deepEqual([direct.failed, direct.cause, direct.problems], ['refused', undefined, ['refused']])
    const { failed, cause } = await attempt(addressOf.get('healthy')!, SERVICE_PORT)
    assert.deepEqual([failed, cause], ['refused', undefined])
  })

  it('are that a pod is gone whose address is still dialled', async () => {
    const { address } = pods.get('leaving')!
    await nodes.kubectl('-n', NAMESPACE, 'delete', 'deployment', 'leaving')
    await nodes.pods(NAMESPACE, 3)
    await until('its pod is gone', async () => {
      const { items } = JSON.parse(await nodes.kubectl('-n', NAMESPACE, 'get', 'pods', '-o', 'json'))
      return items.length === 3
    })
    assert.equal((await attempt(address, PORT)).cause, 'pod_gone')
  })
})
