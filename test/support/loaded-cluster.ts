// Fills a real API server with pods, nodes and Services that nobody runs: two requests a pod, over one connection.
import { readFileSync } from 'node:fs'
import { type ClientHttp2Session, connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ClusterLoad {
  readonly pods: number
  readonly nodes: number
  /** Each with an equal share of the pods behind it. */
  readonly services: number
}

const AT_THE_SAME_TIME = 64
const TOO_MANY = 429
const EXISTS = 409
const MERGE_PATCH = 'application/merge-patch+json'

/** `kubeconfig`: an administrator's, as JSON, with a token. */
export async function loadCluster(kubeconfig: string, { pods, nodes, services }: ClusterLoad): Promise<void> {
  const config = JSON.parse(readFileSync(kubeconfig, 'utf8'))
  const { server, 'certificate-authority': ca } = config.clusters[0].cluster
  const session = connect(server, { ca: readFileSync(ca) })
  const authorization = `Bearer ${config.users[0].user.token}`
  const send = (method: string, path: string, body: object, type = 'application/json') =>
    request(session, { ':method': method, ':path': path, authorization, 'content-type': type }, JSON.stringify(body))
  try {
    await send('POST', '/api/v1/namespaces', { metadata: { name: 'load' } })
    await inTurns(nodes, i => send('POST', '/api/v1/nodes', node(i)))
    await inTurns(services, i => send('POST', '/api/v1/namespaces/load/services', service(i)))
    await inTurns(pods, async i => {
      const { object, status } = pod(i, nodes, Math.max(1, Math.floor(i / Math.ceil(pods / services))))
      await send('POST', '/api/v1/namespaces/load/pods', object)
      await send('PATCH', `/api/v1/namespaces/load/pods/${object.metadata.name}/status`, { status }, MERGE_PATCH)
    })
  } finally {
    session.close()
  }
}

function node(i: number): object {
  const labels = { 'topology.kubernetes.io/zone': `z${i % 3}`, 'kubernetes.io/hostname': `fake-${i}` }
  return { metadata: { name: `fake-${i}`, labels }, spec: { podCIDR: `10.${128 + (i >> 8)}.${i & 255}.0/24` } }
}

function service(i: number): object {
  return {
    metadata: { name: `web-${i}` },
    spec: { selector: { app: `web-${i}` }, ports: [{ port: 80, targetPort: 8080 }] },
  }
}

function pod(i: number, nodes: number, app: number) {
  const onNode = i % nodes
  const host = Math.floor(i / nodes)
  const ip = `10.${128 + (onNode >> 8)}.${onNode & 255}.${1 + (host % 254)}`
  const labels = { app: `web-${app}`, 'pod-template-hash': '6c9f7d5b8', 'app.kubernetes.io/part-of': 'shop' }
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: `web-${app}-6c9f7d5b8`,
    uid: `owner-${app}`,
    controller: true,
  }
  const requests = { cpu: '100m', memory: '128Mi' }
  const container = {
    name: 'web',
    image: 'registry.example/shop/web:1.2.3',
    ports: [{ containerPort: 8080 }],
    resources: { requests },
  }
  return {
    object: {
      metadata: { name: `web-${app}-6c9f7d5b8-${i.toString(36).padStart(5, '0')}`, labels, ownerReferences: [owner] },
      spec: {
        nodeName: `fake-${onNode}`,
        automountServiceAccountToken: false,
        tolerations: [{ operator: 'Exists' }],
        containers: [{ ...container, env: [{ name: 'A', value: 'b' }] }],
      },
    },
    status: {
      ...{ phase: 'Running', podIP: ip, podIPs: [{ ip }], hostIP: '192.0.2.10', startTime: '2026-01-01T00:00:00Z' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }
}

async function request(session: ClientHttp2Session, headers: Record<string, string>, body: string): Promise<void> {
  for (;;) {
    const stream = session.request({ accept: 'application/json', ...headers })
    let status = 0
    stream.on('response', received => {
      status = Number(received[':status'])
    })
    stream.end(body)
    let text = ''
    for await (const chunk of stream.setEncoding('utf8')) text += chunk
    if (status < 300 || status === EXISTS) return
    if (status !== TOO_MANY)
      throw new Error(`${headers[':method']} ${headers[':path']}: ${status} ${text.slice(0, 500)}`)
    await sleep(500)
  }
}

async function inTurns(count: number, each: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await each(next++)
  }
  await Promise.all(Array.from({ length: AT_THE_SAME_TIME }, worker))
}
