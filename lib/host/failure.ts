// An error that tells its reader what to do.

export interface FailureParts {
  /** What we were doing: `attach`, `read configuration`. */
  readonly step: string
  /** What it was done to: a file, an interface, an address. */
  readonly subject: string
  /** Why it failed. */
  readonly cause: string
  /** What the reader can do about it. */
  readonly remedy: string
  /** 2 for wrong usage, 1 for everything else. */
  readonly exitCode?: 1 | 2
  /** The kernel's errno(3), where it was the kernel that refused. */
  readonly errno?: number
}

export class Failure extends Error {
  readonly step: string
  readonly subject: string
  readonly remedy: string
  readonly exitCode: 1 | 2
  readonly errno: number | undefined

  constructor(parts: FailureParts) {
    super(`${parts.step} ${parts.subject}: ${parts.cause}; ${parts.remedy}`, { cause: parts.cause })
    this.name = 'Failure'
    this.step = parts.step
    this.subject = parts.subject
    this.remedy = parts.remedy
    this.exitCode = parts.exitCode ?? 1
    this.errno = parts.errno
  }
}
