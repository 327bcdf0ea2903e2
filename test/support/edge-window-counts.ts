// In which windows each edge counted something, by what the flow table shows of each batch: without windows, spans or edges.
import type { FlowView } from '../../lib/aggregate/flow-view.ts'
import type { Identity } from '../../lib/aggregate/identity.ts'
import type { FlowBatch } from '../../lib/capture/flow-batch.ts'
import type { Pipeline } from '../../lib/pipeline.ts'

export class EdgeWindowCounts {
  /** `client > server`, and the windows of each of its edges that counted something. */
  readonly #windows = new Map<string, Map<string, Set<number>>>()
  readonly #before = new Map<string, string>()
  readonly #pipeline: Pipeline
  readonly #windowMs: number

  constructor(pipeline: Pipeline, windowMs: number) {
    this.#pipeline = pipeline
    this.#windowMs = windowMs
    pipeline.onBatch(batch => this.#look(batch))
  }

  /** `client > server`: windows of all edges between them. */
  calls(): Record<string, number> {
    return Object.fromEntries(
      [...this.#windows].map(([pair, edges]) => [pair, [...edges.values()].reduce((sum, { size }) => sum + size, 0)]),
    )
  }

  /** Protocols of all edges between two. */
  transports(pair: string): string[] {
    return [...new Set([...this.#windows.get(pair)!.keys()].map(edge => edge.split(',')[1]!))]
  }

  #look({ readAtMs }: FlowBatch): void {
    for (const view of this.#pipeline.table.views(true)) {
      const counts = [view.fromPodPackets, view.toPodPackets, view.opened, view.failed].join()
      const flow = `${view.slot} ${view.generation}`
      if (this.#before.get(flow) === counts || !view.exported) continue
      this.#before.set(flow, counts)
      this.#add(view, Math.floor(readAtMs / this.#windowMs))
    }
  }

  #add(view: FlowView, window: number): void {
    const [client, server] = view.client === 'local' ? [view.local, view.remote] : [view.remote, view.local]
    const port = view.transport === 'icmp' ? 0 : view.client === 'local' ? view.remotePort : view.localPort
    const pair = `${nameOf(client)} > ${nameOf(server)}`
    const edges = this.#windows.get(pair) ?? new Map<string, Set<number>>()
    this.#windows.set(pair, edges)
    const edge = [port, view.transport, view.family, view.client, server.service?.name].join()
    const windows = edges.get(edge) ?? new Set()
    edges.set(edge, windows.add(window))
  }
}

function nameOf({ workload, name, class: endClass }: Identity): string {
  return workload?.name ?? name ?? endClass
}
