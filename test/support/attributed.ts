// Whom an agent's exported packets went to: last values of every series of its file exporter.
import { readFileSync } from 'node:fs'
import { pointsOf, requestsIn } from './exported-points.ts'

export interface Attributed {
  /** `k8s.pod.uid`, or the plain name of who sent. */
  readonly sender: string
  readonly port: number
  readonly packets: number
}

/** Of `podweir.network.flow.packets`: by who sent, and the port that was dialled. */
export function attributedFlows(file: string): Attributed[] {
  return lastValues(file, 'podweir.network.flow.packets').map(({ attributes, value }) => ({
    sender: attributes['source.name'] ?? attributes['source.k8s.owner.name'] ?? '',
    port: Number(attributes['server.port']),
    packets: value,
  }))
}

/** Of `podweir.pod.network.packets`, or `unobserved`, sent ones: by UID or name of the interface's owner. */
export function attributedInterfaces(file: string, what: 'packets' | 'unobserved' = 'packets'): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { attributes, value } of lastValues(file, `podweir.pod.network.${what}`)) {
    if (attributes['network.io.direction'] !== 'transmit') continue
    const owner = attributes['k8s.pod.uid'] ?? attributes['podweir.pod.name'] ?? ''
    sums[owner] = (sums[owner] ?? 0) + value
  }
  return sums
}

/** Of `podweir.agent.attribution`: bytes by how the remote end was found. */
export function attributedBytes(file: string): Record<string, number> {
  const values = lastValues(file, 'podweir.agent.attribution')
  return Object.fromEntries(values.map(({ attributes, value }) => [attributes['podweir.attribution.result'], value]))
}

function lastValues(file: string, metric: string): { attributes: Record<string, string>; value: number }[] {
  const last = new Map<string, { attributes: Record<string, string>; value: number }>()
  for (const point of pointsOf(requestsIn(readFileSync(file, 'utf8')), metric)) {
    const attributes = Object.fromEntries(
      (point.attributes ?? []).map(({ key, value }) => [key, String(value.stringValue ?? value.intValue)]),
    )
    const key = JSON.stringify([point.startTimeUnixNano, attributes])
    last.set(key, { attributes, value: Math.max(Number(point.asInt), last.get(key)?.value ?? 0) })
  }
  return [...last.values()]
}
