// The live NatSource.
import type { NatSource, Translations } from './nat-source.ts'
import { type NativeError, told } from './native-failure.ts'

/** What the addon's class Probe has of it. */
export interface NativeNat {
  openConntrack(): Promise<void>
  lookUp(slots: Uint32Array, generations: Uint32Array): Promise<Translations>
}

// errno(3), as numbers because the addon hands over the kernel's.
const EPERM = 1
const EPROTONOSUPPORT = 93
const EOPNOTSUPP = 95

export function natRemedyFor({ errno, detail }: NativeError): string {
  if (errno === EPERM) return 'run as root, or grant CAP_NET_ADMIN'
  if (errno === EOPNOTSUPP || errno === EPROTONOSUPPORT)
    return 'load the module nf_conntrack_netlink (modprobe), or set modules.conntrack: off'
  return detail ? 'the kernel said why above' : 'run with telemetry.logs.level: debug for more'
}

/** Rejects with why connection tracking can't be asked; takes CAP_NET_ADMIN. */
export async function openNat(probe: NativeNat): Promise<NatSource> {
  await told(probe.openConntrack(), natRemedyFor)
  return { lookUp: (slots, generations) => told(probe.lookUp(slots, generations), natRemedyFor) }
}
