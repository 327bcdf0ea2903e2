// The edges that a file exporter wrote: each series' last value, as a backend would show it.
import type { OtlpPoint, OtlpRequest } from './collector.ts'
import { pointsOf, requestsIn } from './exported-points.ts'

export interface ExportedEdge {
  readonly observer: string
  /** `Deployment/web`, or the name of an end that is no Kubernetes object. */
  readonly source: string
  readonly destination: string
  readonly service: string | undefined
  readonly port: number
  readonly transport: string
  readonly direction: string
  readonly value: number
}

export class ExportedEdges {
  readonly #requests: OtlpRequest[]

  constructor(text: string) {
    this.#requests = requestsIn(text)
  }

  of(metric: string): ExportedEdge[] {
    const last = new Map<string, OtlpPoint>()
    for (const point of pointsOf(this.#requests, metric)) last.set(JSON.stringify(point.attributes), point)
    return [...last.values()].map(edgeOf)
  }
}

function edgeOf({ attributes, asInt }: OtlpPoint): ExportedEdge {
  const text = (key: string) => attributes?.find(each => each.key === key)?.value.stringValue
  const number = (key: string) => Number(attributes?.find(each => each.key === key)?.value.intValue ?? 0)
  const end = (side: 'source' | 'destination') => {
    const name = text(`${side}.k8s.owner.name`)
    return name === undefined ? (text(`${side}.name`) ?? '') : `${text(`${side}.k8s.owner.type`)}/${name}`
  }
  return {
    observer: text('podweir.observer') ?? '',
    source: end('source'),
    destination: end('destination'),
    service: text('destination.k8s.service.name') ?? text('source.k8s.service.name'),
    port: number('server.port'),
    transport: text('network.transport') ?? '',
    direction: text('podweir.flow.direction') ?? '',
    value: Number(asInt),
  }
}
