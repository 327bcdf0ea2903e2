// What people are told about attaching, and how loudly.
import type { Attachment, Link } from '../capture/flow-source.ts'
import { Failure } from '../host/failure.ts'
import type { Log } from '../host/log.ts'
import type { WantedInterface } from './interface-plan.ts'
import type { TrackedInterface } from './tracked-interface.ts'

export function tellAttached(
  log: Log,
  { subject, isAwaited }: TrackedInterface,
  attachment: Attachment,
  failedBefore: boolean,
): void {
  const { device, place, hook, baselineExact, replacedStale } = attachment
  // Who was told that it does not work is told that it does.
  const level = failedBefore || isAwaited ? 'info' : 'debug'
  log[level]({ subject, device, place, hook }, `attach ${subject}: attached to ${device}`)
  if (replacedStale) log.info({ subject }, `attach ${subject}: replaced the filter that a killed agent had left`)
  if (!baselineExact)
    log.warn({ subject }, `attach ${subject}: the device counted meanwhile; "unobserved" may be off by those packets`)
}

/** `links`: of the namespace that was looked into, or why it can't be. */
export function tellAbsent(log: Log, wanted: WantedInterface, links: readonly Link[] | Failure): void {
  const { subject, netns, device } = wanted
  const place = netns ?? 'this network namespace'
  const cause =
    links instanceof Failure ? links.message : `${place} has no Ethernet device ${device ?? ''}; check ip link`
  // What was found by its processes goes with them; what somebody listed is missed.
  const level = wanted.uplinks ? 'debug' : 'warn'
  log[level]({ subject }, `attach ${subject}: ${cause}; it will be attached when it appears`)
}
