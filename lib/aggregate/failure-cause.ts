// What is known of why an attempt to connect came to nothing, beside what its packets show: few words, so that they may be attributes.

export const failureCauses = [
  /** Of the Service that was dialled. */
  'no_ready_endpoints',
  /** The Service that was dialled has not the port. */
  'no_such_port',
  'pod_not_ready',
  /** Its deletion was asked for. */
  'pod_terminating',
  /** The address was a pod's that is deleted or over. */
  'pod_gone',
] as const
export type FailureCause = (typeof failureCauses)[number]

/** In a column: nothing is known. Else the cause's index and 1. */
export const NO_CAUSE = 0

export function causeNumber(cause: FailureCause | undefined): number {
  return cause === undefined ? NO_CAUSE : failureCauses.indexOf(cause) + 1
}

export function causeOf(number: number): FailureCause | undefined {
  return failureCauses[number - 1]
}
