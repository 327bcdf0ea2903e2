// Who sends: the attributes that all metrics of this agent share.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Attributes } from '@opentelemetry/api'
import { attribute } from '../signals/attribute-names.ts'

const bootIdFile = '/proc/sys/kernel/random/boot_id'

/** `attributes` are the configured ones and win. */
export function agentResource(version: string, attributes: Readonly<Record<string, string>> = {}): Attributes {
  const host = hostname()
  return {
    'service.name': 'podweir',
    'service.version': version,
    // The same after a restart of the agent, another after a restart of the machine.
    'service.instance.id': `${host}/${readFileSync(bootIdFile, 'utf8').trim()}`,
    'host.name': host,
    'os.type': 'linux',
    ...attributes,
  }
}

/** Of every point: a backend that keeps no resource attributes on series must still tell clusters apart. */
export function clusterAttribute(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const name = attributes[attribute.clusterName]
  return name === undefined ? {} : { [attribute.clusterName]: name }
}
