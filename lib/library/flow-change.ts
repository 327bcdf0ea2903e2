// What a batch says of each flow, as objects: for who wants to read flows and not to count them by the million.
import { transportOf } from '../aggregate/transport.ts'
import { formatAddress } from '../capture/address.ts'
import { ConnectionState, type FlowBatch, FlowFlag } from '../capture/flow-batch.ts'

export interface Endpoint {
  readonly address: string
  /** 0 where there is none, and for the higher port of a collapsed flow. */
  readonly port: number
}

export interface Traffic {
  /** On the wire: a GSO packet of 64 KiB is 45 of them. */
  readonly packets: number
  /** From the Ethernet header on, without FCS. */
  readonly bytes: number
}

/** One flow, and what it did since the batch before. */
export interface FlowChange {
  /** Wall clock of the reading, ms since 1970. */
  readonly atMs: number
  /** As `Probe.attach` returned it. */
  readonly interfaceSlot: number
  /** The same as long as the flow lasts, and never that of another flow at the same time. */
  readonly id: string
  /** `tcp`, `udp`, `icmp`, `sctp`, or the number of the protocol. */
  readonly transport: string
  readonly local: Endpoint
  readonly remote: Endpoint
  /** Who began it, as far as packets tell. */
  readonly opener: 'local' | 'remote' | 'unknown'
  /** Flows found no place in the table: this is all of them with the same lower port. */
  readonly collapsed: boolean
  /** Wall clock, ms since 1970. */
  readonly startedAtMs: number
  readonly sent: Traffic
  readonly received: Traffic
  /** A TCP handshake was completed since the batch before. */
  readonly opened: boolean
  /** Why this attempt to connect failed; said once. */
  readonly failed?: 'refused' | 'timeout' | 'unreachable' | 'reset'
  /** How the connection ended; said once. */
  readonly closed?: 'fin' | 'reset_by_local' | 'reset_by_remote' | 'idle'
  /** Of a TCP connection alone. */
  readonly state?: string
  /** Nothing more is said of it. */
  readonly ended: boolean
}

interface Started {
  readonly generation: number
  readonly identity: Pick<FlowChange, 'interfaceSlot' | 'id' | 'transport' | 'local' | 'remote' | 'opener'> &
    Pick<FlowChange, 'collapsed' | 'startedAtMs'>
}

const ADDRESS_BYTES = 16
const openers = ['unknown', 'local', 'remote'] as const satisfies Record<number, FlowChange['opener']>
const failures = [undefined, 'refused', 'timeout', 'unreachable', 'reset'] as const
const closings = [undefined, 'fin', 'reset_by_local', 'reset_by_remote', 'idle'] as const
const states = new Map(Object.entries(ConnectionState).map(([name, state]) => [state as number, snakeCase(name)]))

/** Batches say who a flow is between once: this remembers it. Give it every batch, in order. */
export class FlowReader {
  readonly #started = new Map<number, Started>();

  *read(batch: FlowBatch): Generator<FlowChange, void, undefined> {
    this.#begin(batch)
    const { flows } = batch
    for (let i = 0; i < flows.length; i++) {
      const slot = flows.slot[i]!
      const started = this.#started.get(slot)
      // It began before this reader did.
      if (!started || started.generation !== flows.generation[i]) continue
      const ended = flows.ended[i] !== 0
      if (ended) this.#started.delete(slot)
      yield { atMs: batch.readAtMs, ...started.identity, ...changeOf(batch, i), ended }
    }
  }

  #begin({ started }: FlowBatch): void {
    for (let i = 0; i < started.length; i++) {
      const slot = started.slot[i]!
      const generation = started.generation[i]!
      const family = started.family[i]!
      const address = (bytes: Uint8Array) => formatAddress(bytes, i * ADDRESS_BYTES, family)
      this.#started.set(slot, {
        generation,
        identity: {
          interfaceSlot: started.interfaceSlot[i]!,
          id: `${slot}.${generation}`,
          transport: transportOf(started.protocol[i]!),
          local: { address: address(started.localAddress), port: started.localPort[i]! },
          remote: { address: address(started.remoteAddress), port: started.remotePort[i]! },
          opener: openers[started.opener[i]!] ?? 'unknown',
          collapsed: (started.flags[i]! & FlowFlag.collapsed) !== 0,
          startedAtMs: started.startMs[i]!,
        },
      })
    }
  }
}

function changeOf({ flows }: FlowBatch, i: number) {
  const failed = failures[flows.failed[i]!]
  const closed = closings[flows.closed[i]!]
  const state = flows.state[i]!
  return {
    sent: { packets: flows.fromPodPackets[i]!, bytes: flows.fromPodBytes[i]! },
    received: { packets: flows.toPodPackets[i]!, bytes: flows.toPodBytes[i]! },
    opened: flows.opened[i] === 1,
    ...(failed !== undefined && { failed }),
    ...(closed !== undefined && { closed }),
    ...(state !== ConnectionState.none && { state: states.get(state) ?? String(state) }),
  }
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
