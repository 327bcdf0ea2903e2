// Why an interface is not observed, or not wholly: few and fixed words, for attributes and for people (docs/attachment.md).
import type { Failure } from '../host/failure.ts'

export const attachReasons = [
  'absent',
  'queued',
  'removed',
  'permission',
  'qdisc',
  'unsupported',
  'unreachable',
  'duplicate',
  'limit',
  'error',
  'bypass',
  'budget',
] as const
export type AttachReason = (typeof attachReasons)[number]

/** The interface has an end that is attached already. */
export const TWICE = 'attach a second time'
/** The end that is to be attached is in a namespace that nobody can name. */
export const OTHER_END = 'find the other end of'

/** By errno(3), as numbers because the kernel says so. */
const byErrno: ReadonlyMap<number, AttachReason> = new Map([
  [1, 'permission'], // EPERM
  [13, 'permission'], // EACCES
  [2, 'absent'], // ENOENT
  [6, 'absent'], // ENXIO
  [19, 'absent'], // ENODEV
  [116, 'absent'], // ESTALE: the path leads to another namespace by now
  [16, 'qdisc'], // EBUSY
  [22, 'unsupported'], // EINVAL: the kernel has no such hook
  [95, 'unsupported'], // EOPNOTSUPP
  [124, 'unsupported'], // EMEDIUMTYPE
  [17, 'duplicate'], // EEXIST
  [28, 'limit'], // ENOSPC
])

export function reasonOf({ step, errno }: Failure): AttachReason {
  if (step === TWICE) return 'duplicate'
  if (step === OTHER_END) return 'unreachable'
  return byErrno.get(errno ?? 0) ?? 'error'
}
