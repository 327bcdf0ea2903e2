// What a flow filter looks at: flows as the socket tells them, and edges, spans and records by their attributes.
import type { AttributeValue } from '@opentelemetry/api'
import { wordOf } from '../config/flow-filter.ts'
import type { FilterKeyName } from '../config/flow-filter-keys.ts'
import { attribute, endAttributes } from './attribute-names.ts'
import type { End, FlowRecord } from './flow-record.ts'

export type FilterSide = 'src' | 'dst'

/** Empty: nobody knows, and no term about it matches. */
export interface FilterSubject {
  /** Of one end. */
  ofEnd(side: FilterSide, key: FilterKeyName): readonly string[]
  /** Of the whole. */
  of(key: FilterKeyName): readonly string[]
  /** Seconds, bytes, … of the whole, and ports of an end. */
  amount(key: FilterKeyName, side?: FilterSide): number | undefined
}

export class RecordSubject implements FilterSubject {
  readonly #record: FlowRecord

  constructor(record: FlowRecord) {
    this.#record = record
  }

  ofEnd(side: FilterSide, key: FilterKeyName): readonly string[] {
    const end = this.#end(side)
    if (key === 'label') return Object.entries(end.labels ?? {}).map(([name, value]) => `${name}=${value}`)
    const value = end[endFields[key] ?? 'address']
    return typeof value === 'string' ? [value] : []
  }

  of(key: FilterKeyName): readonly string[] {
    const record = this.#record
    switch (key) {
      case 'proto':
        return [record.transport]
      case 'type':
        return [record.type]
      case 'observer':
        return [record.observer]
      case 'iface':
        return [record.interface]
      case 'problem':
        return record.problems.map(wordOf)
      case 'state':
        return statesOf(record)
      default:
        return []
    }
  }

  amount(key: FilterKeyName, side?: FilterSide): number | undefined {
    const record = this.#record
    const bytes = record.requestBytes + record.responseBytes
    const seconds = (Date.parse(record.time) - Date.parse(record.start)) / 1000
    switch (key) {
      case 'port':
        return side && (this.#end(side).port || undefined)
      case 'rtt':
        return record.tcp?.rttSeconds
      case 'age':
        return seconds
      case 'bytes':
        return bytes
      case 'packets':
        return record.requestPackets + record.responsePackets
      case 'rate':
        return seconds > 0 ? bytes / seconds : undefined
      default:
        return undefined
    }
  }

  #end(side: FilterSide): End {
    return side === 'src' ? this.#record.source : this.#record.destination
  }
}

const endFields: Partial<Record<FilterKeyName, Exclude<keyof End, 'labels' | 'port'>>> = {
  ...{ ns: 'namespace', workload: 'workload', kind: 'kind', pod: 'pod', svc: 'service', name: 'name' },
  ...{ node: 'node', zone: 'zone', ip: 'address' },
}

function statesOf({ state, tcp, failed, problems }: FlowRecord): string[] {
  const states = [state, tcp?.state, failed].filter(each => each !== undefined).map(wordOf)
  const isUnanswered = states.includes('timeout') || problems.includes('no reply')
  return [...states, ...(isUnanswered ? ['no-reply'] : [])]
}

export type ReadAttribute = (key: string) => AttributeValue | undefined

/** Of what has the client as its source. */
export class AttributeSubject implements FilterSubject {
  readonly #read: ReadAttribute

  constructor(read: ReadAttribute) {
    this.#read = read
  }

  ofEnd(side: FilterSide, key: FilterKeyName): readonly string[] {
    return this.#text(endKeys[side][key])
  }

  of(key: FilterKeyName): readonly string[] {
    return this.#text(wholeKeys[key])
  }

  amount(key: FilterKeyName, side?: FilterSide): number | undefined {
    if (key !== 'port' || !side) return undefined
    const own = this.#read(`${side === 'src' ? 'source' : 'destination'}.port`)
    const value = own ?? (side === 'dst' ? this.#read(attribute.serverPort) : undefined)
    return typeof value === 'number' ? value : undefined
  }

  #text(key: string | undefined): readonly string[] {
    const value = key === undefined ? undefined : this.#read(key)
    return value === undefined ? [] : [String(value)]
  }
}

type KeysOfAttributes = Partial<Record<FilterKeyName, string>>

const endKeys: Readonly<Record<FilterSide, KeysOfAttributes>> = {
  src: keysOf('source'),
  dst: keysOf('destination'),
}

const wholeKeys: KeysOfAttributes = {
  proto: attribute.transport,
  type: attribute.networkType,
  observer: attribute.observer,
}

function keysOf(end: 'source' | 'destination'): KeysOfAttributes {
  const keys = endAttributes(end)
  return {
    ...{ ns: keys.namespace, workload: keys.ownerName, kind: keys.ownerType, pod: keys.podName, svc: keys.service },
    ...{ name: keys.name, ip: keys.address },
  }
}
