// The resource of an edge's counts where pods have their own.
import type { Edge } from '../aggregate/edge-table.ts'
import type { SignalResource } from './attribute-set.ts'
import type { Resources } from './resources.ts'

/** Where edges are told pod by pod: that of the pod whose interface sees them. Else the agent's. */
export function observedResource({ client, server, observer }: Edge, resources: Resources): SignalResource {
  const { namespace, podName: name, podUid: uid, ownerKind: kind, ownerName } = observer === 'client' ? client : server
  if (namespace === undefined || name === undefined) return resources.agent
  const workload = { namespace, kind: kind ?? 'Pod', name: ownerName ?? name }
  return resources.ofKnownPod({ namespace, name, workload, ...(uid !== undefined && { uid }) })
}
