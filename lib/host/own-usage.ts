// What this process takes of the machine.

export interface OwnUsage {
  /** Of processors, since it began. */
  readonly userSeconds: number
  readonly systemSeconds: number
  /** Mapped maps included. */
  readonly residentBytes: number
}

export function ownUsage(): OwnUsage {
  const { user, system } = process.cpuUsage()
  return { userSeconds: user / 1e6, systemSeconds: system / 1e6, residentBytes: process.memoryUsage.rss() }
}
