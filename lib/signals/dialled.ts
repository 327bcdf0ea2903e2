// What a client dialled, in words: of an edge or a connection.
import type { Attributes } from '@opentelemetry/api'
import type { EdgeEnd } from '../aggregate/edge-end.ts'
import { eventAttribute } from './attribute-names.ts'

export interface Dialled {
  readonly server: EdgeEnd
  /** 0: none. */
  readonly serverPort: number
  readonly transport: string
}

const nobodysNames: readonly (string | undefined)[] = ['external', 'node', 'unknown']

/** `tcp cart:7070`: few, whatever happens. */
export function spanName({ server, serverPort, transport }: Dialled): string {
  const { service, ownerName, name, namespace } = server
  const port = serverPort === 0 ? '' : `:${serverPort}`
  return `${transport} ${service ?? ownerName ?? name ?? namespace ?? 'unknown'}${port}`
}

/** The name that was dialled as far as anybody knows one, else `address`, else whose it is. */
export function addServerAddress(to: Attributes, server: EdgeEnd, address = server.address): void {
  const { service, namespace, name, ownerName } = server
  const known = name === undefined || nobodysNames.includes(name) ? undefined : name
  const dialled = (service === undefined ? known : serviceHost(service, namespace)) ?? address ?? ownerName
  if (dialled !== undefined) to[eventAttribute.serverAddress] = dialled
}

/** As a cluster's DNS has it. */
function serviceHost(service: string, namespace: string | undefined): string {
  return namespace === undefined ? service : `${service}.${namespace}.svc`
}
