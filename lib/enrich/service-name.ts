// `service.name` of a pod, by the rule of the semantic conventions for Kubernetes.
import type { Workload } from '../aggregate/identity.ts'

/** The label values that the rule asks for, in its order. */
export const serviceNameLabels = ['app.kubernetes.io/instance', 'app.kubernetes.io/name'] as const
export const serviceNameAnnotation = 'resource.opentelemetry.io/service.name'

type Texts = Readonly<Record<string, string>>

/** What a person said, else what a chart said. An empty text says nothing. */
export function saidServiceName(labels: Texts, annotations: Texts): string | undefined {
  const said = [annotations[serviceNameAnnotation], ...serviceNameLabels.map(key => labels[key])]
  return said.find(text => text !== undefined && text.trim() !== '')
}

const MOST_NAMES = 65_536

/** Where pods of a workload said another name than the workload's. The newest word counts, for all of its pods. */
export class ServiceNames {
  #said = new Map<string, string>()

  learn(workload: Workload, said: string | undefined): void {
    const key = keyOf(workload)
    if (said === undefined || said === workload.name) this.#said.delete(key)
    else this.#said.set(key, said)
    if (this.#said.size > MOST_NAMES) this.#said.delete(this.#said.keys().next().value!)
  }

  of(workload: Workload): string | undefined {
    return this.#said.get(keyOf(workload))
  }

  /** Forgets all others. */
  sweep(needed: ReadonlySet<Workload>): void {
    const keys = new Set([...needed].map(keyOf))
    this.#said = new Map([...this.#said].filter(([key]) => keys.has(key)))
  }
}

function keyOf({ namespace, kind, name }: Workload): string {
  return `${namespace}\n${kind}\n${name}`
}
