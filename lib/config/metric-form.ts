// How metrics are told to a receiver.

export interface MetricForm {
  /** Whose resource a pod's own metrics have: its own, or that of the agent. */
  readonly resourceMode: 'pod' | 'agent'
  readonly temporality: 'cumulative' | 'delta'
  readonly histograms: 'explicit' | 'exponential'
  /** After this time a series is sent again although it has not changed; 0: never. */
  readonly resendUnchangedMs: number
}

/** Of receivers that have no such settings. */
export const defaultMetricForm: MetricForm = {
  resourceMode: 'agent',
  temporality: 'cumulative',
  histograms: 'explicit',
  resendUnchangedMs: 60_000,
}
