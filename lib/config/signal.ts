// The three kinds of data that OpenTelemetry knows, as pipelines name them.

export const signals = ['metrics', 'traces', 'logs'] as const

export type Signal = (typeof signals)[number]
