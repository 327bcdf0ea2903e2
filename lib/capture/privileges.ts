// Which capabilities each mode needs, and letting go of all others.
import { release } from 'node:os'
import type { Config } from '../config/config.ts'
import { loadAddon, rethrown } from './native-probe.ts'

/** linux/capability.h; a bit each in the addon's sets. */
const NUMBERS = {
  CAP_NET_ADMIN: 12,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const

export type Capability = keyof typeof NUMBERS

export type ProfileName = 'standard' | 'restricted'

export interface Profile {
  readonly name: ProfileName
  /** Of every thread. */
  readonly process: readonly Capability[]
  /** Of the one thread that enters namespaces, besides. */
  readonly entering: readonly Capability[]
  /** Kept by every thread if it is there, and not missed. */
  readonly welcome: readonly Capability[]
}

/** What each is for, in the words of a sentence that begins with what is missing. */
export const PURPOSES: Readonly<Record<Capability, string>> = {
  CAP_BPF: 'kernel programs and maps can’t be loaded',
  CAP_NET_ADMIN: 'nothing can be attached, and no device’s counters can be read',
  CAP_SYS_PTRACE: 'of pods without a name under /run/netns nothing is found, and none by its processes',
  CAP_SYS_ADMIN: 'pods’ namespaces can’t be entered (attach: host does without), and cpu_budget can’t be watched',
  CAP_PERFMON: 'drops can’t be counted by reason; before Linux 6.12 mode restricted can’t load its programs',
}

/** Before, the verifier refuses what it finds on mispredicted branches. With CAP_SYS_ADMIN or this it looks at none. */
const FIRST_WITHOUT_PERFMON = [6, 12] as const

/** `host` alone enters no namespace. */
export function profileOf({ attach, modules }: Pick<Config, 'attach' | 'modules'>, kernel = release()): Profile {
  const trusted: Capability[] = modules.drops || (attach === 'host' && wantsPerfmon(kernel)) ? ['CAP_PERFMON'] : []
  const both: Capability[] = ['CAP_BPF', 'CAP_NET_ADMIN', ...trusted]
  if (attach === 'host') return { name: 'restricted', process: both, entering: [], welcome: ['CAP_SYS_PTRACE'] }
  return { name: 'standard', process: [...both, 'CAP_SYS_PTRACE'], entering: ['CAP_SYS_ADMIN'], welcome: [] }
}

function wantsPerfmon(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number)
  const [firstMajor, firstMinor] = FIRST_WITHOUT_PERFMON
  return major < firstMajor || (major === firstMajor && minor < firstMinor)
}

/** What this process has now. */
export function heldCapabilities(): ReadonlySet<Capability> {
  const { effective } = loadAddon().capabilities()
  return new Set((Object.keys(NUMBERS) as Capability[]).filter(name => has(effective, NUMBERS[name])))
}

export function missingOf(profile: Profile, held: ReadonlySet<Capability>): Capability[] {
  return [...profile.process, ...profile.entering].filter(name => !held.has(name))
}

/**
 * From here on no thread has more than the profile says, nothing that this process starts has anything, and neither
 * can come by more. Before threads are told, and for good: call it once. Returns what the profile wants and nobody had.
 */
export function dropPrivileges(profile: Profile): Capability[] {
  const missing = missingOf(profile, heldCapabilities())
  rethrown(() => loadAddon().dropPrivileges(setOf([...profile.process, ...profile.welcome]), setOf(profile.entering)))
  return missing
}

// Numbers and not bits: the highest capability is above what JavaScript's operators on bits reach.
function setOf(names: readonly Capability[]): number {
  return names.reduce((sum, name) => sum + 2 ** NUMBERS[name], 0)
}

function has(set: number, number: number): boolean {
  return Math.floor(set / 2 ** number) % 2 === 1
}
