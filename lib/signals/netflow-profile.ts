// Flow records with the attributes that the Collector's netflow receiver gives: one for each direction that had a packet.

import { attribute, endAttributes, eventAttribute, netflowAttribute } from './attribute-names.ts'
import { AttributeSet } from './attribute-set.ts'
import type { ConnectionFacts, FactsEnd } from './connection-facts.ts'
import { oneEnd } from './edge-attributes.ts'
import type { LogRecord } from './log-record.ts'

const source = endAttributes('source')
const destination = endAttributes('destination')
const nothing = new AttributeSet({})
/** `flow.type`: theirs are `netflow_v9`, `ipfix`, … */
const FLOW_TYPE = 'podweir'
/** Each packet is counted. */
const UNSAMPLED = 1

/** Protocols that we call otherwise, or by their numbers. */
const transportNames: Readonly<Record<number, string>> = {
  2: 'igmp',
  4: 'ipv4',
  33: 'dccp',
  41: 'ipv6',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'ipv6-icmp',
  136: 'udplite',
}

type Shared = Omit<LogRecord, 'timeMs' | 'base' | 'more' | 'body'>

/** `sequence`: of the next record. */
export function netflowRecords(facts: ConnectionFacts, shared: Shared, sequence: () => number): LogRecord[] {
  const { client, server } = facts
  return (
    [
      ['request', client, server],
      ['response', server, client],
    ] as const
  )
    .filter(([, sender]) => sender.packets > 0)
    .map(([direction, sender, receiver]) => ({
      ...shared,
      // The receiver's: when the flow began.
      timeMs: facts.record.beganMs,
      base: nothing,
      more: new AttributeSet({
        ...conversation(facts, sender, receiver),
        [netflowAttribute.sequence]: sequence(),
        [netflowAttribute.received]: nanoseconds(shared.observedMs),
        [attribute.flowDirection]: direction,
        ...(facts.failed !== undefined && { [attribute.errorType]: facts.failed }),
        ...(facts.end !== undefined && { [attribute.connectionEnd]: facts.end }),
      }),
    }))
}

function conversation({ record, localIsClient }: ConnectionFacts, sender: FactsEnd, receiver: FactsEnd) {
  const { protocol, transport, family } = record.flow
  return {
    [netflowAttribute.sourceAddress]: sender.address,
    [netflowAttribute.sourcePort]: sender.port,
    [netflowAttribute.destinationAddress]: receiver.address,
    [netflowAttribute.destinationPort]: receiver.port,
    [attribute.transport]: transportNames[protocol] ?? transport,
    [attribute.networkType]: family === 6 ? 'ipv6' : 'ipv4',
    [netflowAttribute.bytes]: sender.bytes,
    [netflowAttribute.packets]: sender.packets,
    [netflowAttribute.type]: FLOW_TYPE,
    [netflowAttribute.start]: nanoseconds(record.beganMs),
    [netflowAttribute.end]: nanoseconds(record.endedMs),
    [netflowAttribute.samplingRate]: UNSAMPLED,
    ...oneEnd(source, sender.end),
    ...(sender.node !== undefined && { [eventAttribute.sourceNode]: sender.node }),
    ...oneEnd(destination, receiver.end),
    ...(receiver.node !== undefined && { [eventAttribute.destinationNode]: receiver.node }),
    [attribute.observer]: localIsClient ? 'client' : 'server',
  }
}

/** To 256 ns: a number has no more digits. */
function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6)
}
