// How the remote ends of flows got their names, in bytes: each exported byte is in exactly one result.
import type { Identity } from './identity.ts'

export const attributionResults = [
  'interface',
  'pod',
  'service',
  'backend',
  'node',
  'socket',
  'host_port',
  'dns',
  'cidr',
  'external',
  'guessed',
  'unknown',
] as const
export type AttributionResult = (typeof attributionResults)[number]

/** `isObserved`: an interface of ours is this end's own, so that its name does not rest on its address alone. */
export function attributionOf(remote: Identity, isObserved: boolean): AttributionResult {
  if (remote.foundBy) return remote.foundBy
  if (remote.class !== 'pod') return remote.class
  return isObserved ? 'interface' : 'pod'
}

export class Attribution {
  /** Index as in `attributionResults`. */
  readonly bytes = new Float64Array(attributionResults.length)

  add(result: number, bytes: number): void {
    this.bytes[result]! += bytes
  }
}
