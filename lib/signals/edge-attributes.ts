// The attributes of an edge's points: of a flow's packets the sender is the source, of a connection its initiator.
import type { Attributes } from '@opentelemetry/api'
import type { EdgeEnd } from '../aggregate/edge-end.ts'
import type { Edge } from '../aggregate/edge-table.ts'
import type { Pair } from '../aggregate/pair-table.ts'
import { attribute, endAttributes } from './attribute-names.ts'

export interface EdgeAttributes {
  /** The client is the source. */
  readonly forward: Attributes
  readonly backward: Attributes
}

const source = endAttributes('source')
const destination = endAttributes('destination')

/** A pair has no port. */
export function attributesOf(edge: Edge | Pair): EdgeAttributes {
  if (edge.overflow) return { forward: { [attribute.overflow]: true }, backward: { [attribute.overflow]: true } }
  const { client, server } = edge
  const shared = sharedAttributes(edge)
  return {
    forward: { ...oneEnd(source, client), ...oneEnd(destination, server), ...shared },
    backward: { ...oneEnd(source, server), ...oneEnd(destination, client), ...shared },
  }
}

function sharedAttributes(edge: Edge | Pair): Attributes {
  return {
    ...('serverPort' in edge && edge.serverPort !== 0 && { [attribute.serverPort]: edge.serverPort }),
    [attribute.transport]: edge.transport,
    [attribute.networkType]: edge.networkType,
    [attribute.observer]: edge.observer,
  }
}

/** Of who did something alone. */
export function initiatorAttributes(end: EdgeEnd): Attributes {
  return oneEnd(source, end)
}

export function oneEnd(keys: ReturnType<typeof endAttributes>, end: EdgeEnd): Attributes {
  return {
    ...(end.namespace !== undefined && { [keys.namespace]: end.namespace }),
    ...(end.ownerName !== undefined && { [keys.ownerName]: end.ownerName }),
    ...(end.ownerKind !== undefined && { [keys.ownerType]: end.ownerKind }),
    ...(end.podName !== undefined && { [keys.podName]: end.podName }),
    ...(end.podUid !== undefined && { [keys.podUid]: end.podUid }),
    ...(end.service !== undefined && { [keys.service]: end.service }),
    ...(end.name !== undefined && { [keys.name]: end.name }),
    ...(end.address !== undefined && { [keys.address]: end.address }),
  }
}
