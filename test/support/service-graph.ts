// How Tempo's metrics generator and the Collector's servicegraph connector make edges of spans: their rule, read from their
// documentation and sources and written down anew, because neither can be had as a package. Input is OTLP JSON.

interface Value {
  readonly stringValue?: string
  readonly intValue?: string
  readonly doubleValue?: number
}
type Attributes = readonly { readonly key: string; readonly value: Value }[]

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: Attributes
  readonly status?: { readonly code?: number }
}

interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes?: Attributes }
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[]
  }[]
}

interface Half {
  client?: string
  server?: string
  /** What stands in for the side that never comes. */
  clientsPeer?: string
  serversPeer?: string
  isRoot: boolean
  hasFailed: boolean
  multiplier: number
  readonly sinceMs: number
}

export interface ServiceGraphOptions {
  /** `wait`, or the connector's `store.ttl`. */
  readonly waitMs?: number
  /** `metrics_ingestion_time_range_slack`, on either side of now. */
  readonly slackMs?: number
  readonly multiplierKey?: string
  readonly peerAttributes?: readonly string[]
}

const CLIENT = 3
const SERVER = 2
const ERROR = 2

export class ServiceGraph {
  /** `client > server`, or `client > server (virtual)`, and how often. */
  readonly requests = new Map<string, number>()
  readonly failed = new Map<string, number>()
  /** Spans that make no metrics because they end too long ago, or too far ahead. */
  tooOld = 0
  /** Halves whose other one never came, and that nothing stands in for. */
  expired = 0
  readonly #options: Required<ServiceGraphOptions>
  readonly #halves = new Map<string, Half>()

  constructor(options: ServiceGraphOptions = {}) {
    this.#options = {
      waitMs: 10_000,
      slackMs: 30_000,
      multiplierKey: '',
      peerAttributes: ['peer.service', 'db.name', 'db.system'],
      ...options,
    }
  }

  receive(body: Uint8Array, nowMs: number): void {
    this.expire(nowMs)
    const { resourceSpans } = JSON.parse(Buffer.from(body).toString()) as Request
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = textOf(resource.attributes, 'service.name')
      if (service === undefined) continue
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) this.#add(service, span, nowMs)
    }
  }

  /** Whose other half did not come in time. */
  expire(nowMs: number): void {
    for (const [key, half] of this.#halves) {
      if (nowMs - half.sinceMs < this.#options.waitMs) continue
      this.#halves.delete(key)
      const { client, server, clientsPeer, serversPeer, isRoot } = half
      if (client !== undefined && clientsPeer !== undefined) this.#count(`${client} > ${clientsPeer} (virtual)`, half)
      else if (server !== undefined && isRoot) this.#count(`${serversPeer ?? 'user'} > ${server} (virtual)`, half)
      else this.expired++
    }
  }

  #add(service: string, span: Span, nowMs: number): void {
    const { slackMs, peerAttributes } = this.#options
    if (span.kind !== CLIENT && span.kind !== SERVER) return
    if (Math.abs(Number(span.endTimeUnixNano) / 1e6 - nowMs) > slackMs) {
      this.tooOld++
      return
    }
    const isClient = span.kind === CLIENT
    const key = `${span.traceId}-${isClient ? span.spanId : (span.parentSpanId ?? '')}`
    const half = this.#halves.get(key) ?? { isRoot: false, hasFailed: false, multiplier: 1, sinceMs: nowMs }
    this.#halves.set(key, half)
    half.hasFailed ||= span.status?.code === ERROR
    half.multiplier = this.#multiplierOf(span)
    const peer = peerAttributes.map(each => textOf(span.attributes, each)).find(each => each !== undefined)
    if (isClient) Object.assign(half, { client: service, clientsPeer: peer })
    else Object.assign(half, { server: service, serversPeer: peer, isRoot: span.parentSpanId === undefined })
    if (half.client === undefined || half.server === undefined) return
    this.#halves.delete(key)
    this.#count(`${half.client} > ${half.server}`, half)
  }

  /** Of doubles alone: an integer is not looked at. */
  #multiplierOf({ attributes }: Span): number {
    const ratio = attributes?.find(({ key }) => key === this.#options.multiplierKey)?.value.doubleValue
    return ratio === undefined || ratio <= 0 ? 1 : 1 / ratio
  }

  #count(edge: string, { multiplier, hasFailed }: Half): void {
    this.requests.set(edge, (this.requests.get(edge) ?? 0) + multiplier)
    if (hasFailed) this.failed.set(edge, (this.failed.get(edge) ?? 0) + multiplier)
  }
}

function textOf(attributes: Attributes | undefined, key: string): string | undefined {
  return attributes?.find(each => each.key === key)?.value.stringValue
}
