// Runs in the cluster before the release is uninstalled: makes of every agent what takes everything off its node, and waits
// until each has done so. It has Node and nothing else.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

interface DaemonSet {
  readonly metadata: { readonly generation: number }
  readonly status: {
    readonly observedGeneration?: number
    readonly desiredNumberScheduled: number
    readonly updatedNumberScheduled?: number
    readonly numberAvailable?: number
  }
}

interface Pod {
  readonly spec: { readonly nodeName?: string }
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
const EVERY_MS = 500
const ANSWER_MS = 10_000

const { values } = parseArgs({
  options: {
    namespace: { type: 'string' },
    daemonset: { type: 'string' },
    /** Of pods. */
    selector: { type: 'string' },
    patch: { type: 'string' },
    'limit-seconds': { type: 'string' },
    /** Elsewhere than in a pod. */
    server: {
      type: 'string',
      default: `https://${process.env.KUBERNETES_SERVICE_HOST}:${process.env.KUBERNETES_SERVICE_PORT}`,
    },
    credentials: { type: 'string', default: FOLDER },
  },
})
const pods = `/api/v1/namespaces/${values.namespace}/pods?labelSelector=${encodeURIComponent(values.selector!)}`
const daemonSet = `/apis/apps/v1/namespaces/${values.namespace}/daemonsets/${values.daemonset}`
const untilMs = performance.now() + Number(values['limit-seconds']) * 1000

async function ask(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  const headers = {
    authorization: `Bearer ${readFileSync(`${values.credentials}/token`, 'utf8').trim()}`,
    ...(body !== undefined && { 'content-type': 'application/strategic-merge-patch+json' }),
  }
  const ca = readFileSync(`${values.credentials}/ca.crt`)
  return new Promise((resolve, reject) => {
    const options = { method, headers, ca, signal: AbortSignal.timeout(ANSWER_MS) }
    const sent = request(new URL(path, values.server), options, async answer => {
      const text = (
        await answer
          .setEncoding('utf8')
          .toArray()
          .catch(() => [])
      ).join('')
      resolve({ status: answer.statusCode ?? 0, text })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Until it is done or the time is over; what fails meanwhile may work the next time. */
async function insist<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  let last = 'it took too long'
  do {
    try {
      const result = await attempt()
      if (result !== undefined) return result
    } catch (error) {
      last = (error as Error).message
    }
    await sleep(EVERY_MS)
  } while (performance.now() < untilMs)
  throw new Error(`${what}: ${last}`)
}

async function answered(method: string, path: string, body?: string): Promise<string | null> {
  const { status, text } = await ask(method, path, body)
  if (status === 404) return null
  if (status >= 300) throw new Error(`${status} ${text.slice(0, 300)}`)
  return text
}

function isDone(text: string): boolean {
  const { metadata, status } = JSON.parse(text) as DaemonSet
  const {
    observedGeneration = 0,
    desiredNumberScheduled: desired,
    updatedNumberScheduled = 0,
    numberAvailable = 0,
  } = status
  return observedGeneration >= metadata.generation && updatedNumberScheduled >= desired && numberAvailable >= desired
}

async function missing(): Promise<string> {
  const text = await answered('GET', pods)
  const { items } = JSON.parse(text ?? '{"items":[]}') as { items: Pod[] }
  const late = items.filter(
    ({ status }) => !status.conditions?.some(each => each.type === 'Ready' && each.status === 'True'),
  )
  return late.map(({ spec }) => spec.nodeName ?? 'no node yet').join(', ')
}

async function run(): Promise<void> {
  const patched = await insist('patch the agents', () =>
    answered('PATCH', daemonSet, readFileSync(values.patch!, 'utf8')),
  )
  if (patched === null) return console.log('there are no agents')
  try {
    await insist('take everything off', async () => {
      const text = await answered('GET', daemonSet)
      return text === null || isDone(text) ? true : undefined
    })
  } catch (error) {
    const nodes = await missing().catch(() => '')
    throw nodes === '' ? error : new Error(`not yet on ${nodes}: ${(error as Error).message}`)
  }
  console.log('everything is taken off')
}

try {
  await run()
} catch (error) {
  console.error(
    `${(error as Error).message}\n  → see to it and uninstall again, or leave it there: helm uninstall --no-hooks`,
  )
  process.exitCode = 1
}
