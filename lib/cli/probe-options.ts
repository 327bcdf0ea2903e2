// What the capture needs of the configuration.
import type { ProbeOptions } from '../capture/native-probe.ts'
import { packetScope } from '../capture/packet-scope.ts'
import type { Config } from '../config/config.ts'

export function probeOptions({
  flowLimit,
  retire,
  auditIntervalMs,
  drainIntervalMs,
  pins,
  modules,
  scope: rules,
}: Config): ProbeOptions {
  const auditEvery = auditIntervalMs === 0 ? 0 : Math.max(1, Math.round(auditIntervalMs / drainIntervalMs))
  const scope = packetScope(rules)
  const parts = { ...(pins !== undefined && { pins }), ...(scope && { scope }), ...(modules.dns && { dns: true }) }
  return { flowLimit, retire, auditEvery, ...parts }
}
