// The metrics of the agent itself.
import { attribute } from './attribute-names.ts'
import type { Metric } from './metric-names.ts'

export const agentMetric = {
  flowCount: {
    name: 'podweir.agent.flow.count',
    instrument: 'gauge',
    unit: '{flow}',
    description: 'Flows in the kernel table.',
    attributes: [],
  },
  flowLimit: {
    name: 'podweir.agent.flow.limit',
    instrument: 'gauge',
    unit: '{flow}',
    description: 'Flows that the kernel table can hold.',
    attributes: [],
  },
  interfaces: {
    name: 'podweir.agent.interfaces',
    instrument: 'up_down_counter',
    unit: '{interface}',
    description: 'Interfaces that the agent knows, by how far it got with them.',
    attributes: [attribute.attachState, attribute.attachReason, attribute.attachMode, attribute.attachPlace],
  },
  reattachments: {
    name: 'podweir.agent.reattachments',
    instrument: 'counter',
    unit: '{reattachment}',
    description: 'Times that an interface was attached again because somebody had removed our programs.',
    attributes: [attribute.attachReason],
  },
  faults: {
    name: 'podweir.agent.faults',
    instrument: 'counter',
    unit: '{fault}',
    description: 'What the capture could not do as it should, by kind.',
    attributes: [attribute.faultKind],
  },
  attribution: {
    name: 'podweir.agent.attribution',
    instrument: 'counter',
    unit: 'By',
    description: 'Bytes of exported flows, by how their remote end was found.',
    attributes: [attribute.attributionResult],
  },
  violations: {
    name: 'podweir.agent.self_audit.violations',
    instrument: 'counter',
    unit: '{violation}',
    description: 'Times that the slots of the kernel table did not fit its totals.',
    attributes: [],
  },
  translations: {
    name: 'podweir.agent.conntrack.lookups',
    instrument: 'counter',
    unit: '{lookup}',
    description: 'Flows to Services that connection tracking was asked for.',
    attributes: [attribute.conntrackOutcome],
  },
  programTime: {
    name: 'podweir.agent.program.time',
    instrument: 'counter',
    unit: 's',
    description: 'Time in our kernel programs while kernel statistics were on.',
    attributes: [],
  },
  programRuns: {
    name: 'podweir.agent.program.runs',
    instrument: 'counter',
    unit: '{run}',
    description: 'Runs of our kernel programs while kernel statistics were on.',
    attributes: [],
  },
  seriesCount: {
    name: 'podweir.agent.series.count',
    instrument: 'gauge',
    unit: '{series}',
    description: 'Series that edges and pairs of owners have taken of the budget.',
    attributes: [],
  },
  seriesLimit: {
    name: 'podweir.agent.series.limit',
    instrument: 'gauge',
    unit: '{series}',
    description: 'Series of edges and of pairs of owners that there may be.',
    attributes: [],
  },
  queueItems: {
    name: 'podweir.agent.queue.items',
    instrument: 'gauge',
    unit: '{item}',
    description: 'Points, spans and log records that wait for their receiver or are under way.',
    attributes: [attribute.signal, attribute.exporter],
  },
  queueBytes: {
    name: 'podweir.agent.queue.bytes',
    instrument: 'gauge',
    unit: 'By',
    description: 'Encoded requests that wait for their receiver or are under way.',
    attributes: [attribute.signal, attribute.exporter],
  },
  drainDuration: {
    name: 'podweir.agent.drain.duration',
    instrument: 'histogram',
    unit: 's',
    description: 'From asking for what the kernel has counted to having it.',
    attributes: [],
  },
} as const satisfies Record<string, Metric>

/** As OpenTelemetry's semantic conventions name them. */
export const processMetric = {
  cpuTime: {
    name: 'process.cpu.time',
    instrument: 'counter',
    unit: 's',
    description: 'Time of processors that the agent has taken.',
    attributes: [attribute.cpuMode],
  },
  memory: {
    name: 'process.memory.usage',
    instrument: 'up_down_counter',
    unit: 'By',
    description: 'Memory of the agent that is resident, mapped maps included.',
    attributes: [],
  },
} as const satisfies Record<string, Metric>
