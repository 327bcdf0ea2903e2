// The only clock.

export interface Clock {
  /** Wall clock, ms since 1970. */
  nowMs(): number
  /** Never steps back, ms since an arbitrary point: for durations. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}
