// A scope of a few rules, and the kernel's part of one.
import { type PacketScope, packetScope } from '../../lib/capture/packet-scope.ts'
import type { ScopeConfig, ScopeRules } from '../../lib/config/scope.ts'

export interface FewRules {
  readonly include?: Partial<ScopeRules>
  readonly exclude?: Partial<ScopeRules>
}

const none: ScopeRules = { namespaces: [], labels: [], workloads: [], cidrs: [], ports: [], interfaces: [] }

export function scopeOf({ include, exclude }: FewRules): ScopeConfig {
  return { include: { ...none, ...include }, exclude: { ...none, ...exclude } }
}

export function packetScopeOf(rules: FewRules): PacketScope {
  const scope = packetScope(scopeOf(rules))
  if (!scope) throw new Error('there is no rule for packets')
  return scope
}
