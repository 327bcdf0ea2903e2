// What is observed and what is left out, as a settings file says it: `receivers.podweir.scope`.
import { z } from 'zod'
import { deviceGlob, deviceGlobForm } from './device-glob.ts'
import { canonicalCidr, cidrForm } from './inventory-schema.ts'
import { namePattern } from './name-pattern.ts'
import { parsePorts } from './port-range.ts'
import { list, parsed, section, text } from './validation.ts'
import type { YamlDocument } from './yaml-document.ts'

/** Rules of one kind each: one that fits is enough. */
export interface ScopeRules {
  /** Patterns. */
  readonly namespaces: readonly string[]
  /** `KEY`, which a pod has, or `KEY=PATTERN` of its value. */
  readonly labels: readonly string[]
  /** `KIND/NAME`, patterns both. */
  readonly workloads: readonly string[]
  /** Blocks of remote addresses, in their one canonical form. */
  readonly cidrs: readonly string[]
  /** `PORT` or `FIRST-LAST`, of every transport, or of the one behind it: `/tcp`, `/udp`, `/sctp`, `/dccp`. */
  readonly ports: readonly string[]
  /** Patterns of device names. */
  readonly interfaces: readonly string[]
}

/** What is excluded is out, whatever includes it; but of several blocks of addresses the longest decides. */
export interface ScopeConfig {
  /** A kind without rules includes everything. */
  readonly include: ScopeRules
  readonly exclude: ScopeRules
}

/** The kernel's tables have room for two such lists (SCOPE_BLOCKS_LIMIT of ebpf/scope.h). */
const CIDR_LIMIT = 1024

const namespaceForm = 'the name of a namespace, with * for any characters and ? for one'
const labelForm = 'KEY or KEY=VALUE of a pod’s label, with * and ? in the value'
const workloadForm = 'KIND/NAME of a workload, with * and ?: DaemonSet/*, Deployment/web'
const portForm = '1 to 65535 or FIRST-LAST, alone or with /tcp, /udp, /sctp, /dccp'

const port = z.unknown().transform((value, context) => {
  const range = typeof value === 'number' || typeof value === 'string' ? parsePorts(String(value)) : undefined
  if (range) return String(value)
  context.issues.push({ code: 'custom', input: value, message: portForm })
  return z.NEVER
})

const rulesSchema = section({
  namespaces: list(
    text(namespaceForm, value => namePattern(value) !== undefined),
    'a list of namespaces',
  ).default([]),
  labels: list(text(labelForm, isLabel), 'a list of labels').default([]),
  workloads: list(text(workloadForm, isWorkload), 'a list of workloads').default([]),
  cidrs: list(parsed(cidrForm, canonicalCidr), 'a list of blocks of addresses')
    .max(CIDR_LIMIT, { error: `at most ${CIDR_LIMIT} blocks` })
    .default([]),
  ports: list(port, 'a list of ports').default([]),
  interfaces: list(
    text(deviceGlobForm, value => deviceGlob(value) !== undefined),
    'a list of device names',
  ).default([]),
})

export const scopeSchema = section({ include: rulesSchema, exclude: rulesSchema })

/** The same rule on both sides could only ever leave out. */
export function refuseContradiction(document: YamlDocument, scope: ScopeConfig | undefined): void {
  if (!scope) return
  for (const kind of Object.keys(scope.exclude) as (keyof ScopeRules)[]) {
    const included = new Set(scope.include[kind])
    for (const [i, rule] of scope.exclude[kind].entries()) {
      if (!included.has(rule)) continue
      const path = ['receivers', 'podweir', 'scope', 'exclude', kind, i]
      document.problems.add(document.placeOf(path), path, `${rule} is included too`, 'each rule on one side')
    }
  }
}

/** Rules that there are. */
export function describeScope({ include, exclude }: ScopeConfig) {
  return { include: withoutEmpty(include), exclude: withoutEmpty(exclude) }
}

function withoutEmpty(rules: ScopeRules): Partial<ScopeRules> {
  return Object.fromEntries(Object.entries(rules).filter(([, each]) => each.length > 0))
}

function isLabel(value: string): boolean {
  const [key = '', pattern, ...rest] = value.split('=')
  if (rest.length > 0 || !/^([a-z0-9.-]+\/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/.test(key)) return false
  return pattern === undefined || pattern === '' || namePattern(pattern) !== undefined
}

function isWorkload(value: string): boolean {
  const [kind = '', name = '', ...rest] = value.split('/')
  return rest.length === 0 && namePattern(kind) !== undefined && namePattern(name) !== undefined
}
