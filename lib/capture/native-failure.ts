// What the addon rejects with, in words.
import { Failure } from '../host/failure.ts'

export interface NativeError {
  readonly step: string
  readonly subject: string
  readonly errno: number
  readonly reason: string
  readonly detail: string
}

// errno(3), as numbers because the addon hands over the kernel's.
const EPERM = 1
const ENOENT = 2
const EEXIST = 17
const EBUSY = 16
const ENODEV = 19
const ESTALE = 116
const EMEDIUMTYPE = 124
const EOPNOTSUPP = 95

export function remedyFor({ step, errno, detail }: NativeError): string {
  if (step === 'lock') return 'stop that agent first: two on one node would count every packet twice'
  if (errno === EPERM)
    return 'run as root, or grant CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN; podweir doctor says which is missing'
  if (errno === ENOENT || errno === ENODEV) return 'check that the namespace and the device exist (ip netns, ip link)'
  if (errno === ESTALE) return 'nothing to do: the pod is gone, and the namespace there now is attached as its own'
  if (errno === EBUSY) return 'use hook: tcx, or remove the qdisc that is in the way (tc qdisc show)'
  if (errno === EMEDIUMTYPE) return 'name an Ethernet device'
  if (errno === EEXIST) return 'another agent may hold this interface: stop it first'
  if (errno === EOPNOTSUPP) return 'use attach: pod, a kernel of 6.6 or newer, or ask for it with hook: clsact'
  return detail ? 'the kernel said why above' : 'run with telemetry.logs.level: debug for more'
}

export function failureOf(error: unknown, remedyOf: (error: NativeError) => string): Failure {
  const native = error as NativeError
  const cause = native.detail ? `${native.reason}\n${native.detail}` : native.reason
  return new Failure({
    step: native.step,
    subject: native.subject,
    cause,
    remedy: remedyOf(native),
    errno: native.errno,
  })
}

/** The answer of the addon, its rejection as a Failure. */
export async function told<T>(answer: Promise<T>, remedyOf = remedyFor): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw failureOf(error, remedyOf)
  }
}
