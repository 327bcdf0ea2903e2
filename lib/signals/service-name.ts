// `service.name` of a pod, by the rule of the semantic conventions for Kubernetes.
import type { Workload } from '../aggregate/identity.ts'

/** The label values that the rule asks for, in its order. */
export const serviceNameLabels = ['app.kubernetes.io/instance', 'app.kubernetes.io/name'] as const
export const serviceNameAnnotation = 'resource.opentelemetry.io/service.name'

export interface NamedPod {
  readonly name: string
  readonly workload: Workload
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** What a person said, else what a chart said, else what the pod belongs to, else the pod. An empty text says nothing. */
export function serviceNameOf({ name, workload, labels = {}, annotations = {} }: NamedPod): string {
  const said = [annotations[serviceNameAnnotation], ...serviceNameLabels.map(key => labels[key])]
  return said.find(text => text !== undefined && text.trim() !== '') ?? (workload.name || name)
}
