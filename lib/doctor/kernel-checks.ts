// What the kernel is, before anything is tried.
import { existsSync, readFileSync } from 'node:fs'
import { type Finding, fail, ok, warn } from './finding.ts'

const OLDEST = [5, 10] as const
const FIRST_WITHOUT_MEMLOCK = [5, 11] as const
/** linux/capability.h. */
const CAP_SYS_RESOURCE = 24n
const BTF = '/sys/kernel/btf/vmlinux'
/** What an agent at its default limits locks, and room for as much again. */
const ENOUGH_MEMLOCK_BYTES = 128 * 1024 * 1024

/** Findings about the running kernel; `release` as `uname -r` prints it. */
export function checkKernel(release: string): Finding[] {
  return [checkVersion(release), checkTypes(), checkLockdown()]
}

function checkVersion(release: string): Finding {
  if (isAtLeast(release, OLDEST)) return ok('PW-101', `kernel ${release}`)
  const why = 'maps that can be mapped, CAP_BPF and other needs came with Linux 5.8 to 5.10'
  return fail('PW-101', `kernel ${release} is too old`, why, 'use Linux 5.10 or newer; 6.6 or newer has tcx')
}

function checkTypes(): Finding {
  if (existsSync(BTF)) return ok('PW-102', `kernel types in ${BTF}`)
  const why = 'flows are counted all the same; the module drops needs them'
  return warn('PW-102', `no ${BTF}`, why, 'use a kernel with CONFIG_DEBUG_INFO_BTF=y, or leave the module drops off')
}

function checkLockdown(): Finding {
  const lockdown = /\[(\w+)\]/.exec(read('/sys/kernel/security/lockdown'))?.[1] ?? 'none'
  const settings = ['unprivileged_bpf_disabled', 'perf_event_paranoid']
    .map(name => `${name} ${read(`/proc/sys/kernel/${name}`) || 'unknown'}`)
    .join(', ')
  const what = `lockdown ${lockdown}, ${settings}`
  if (lockdown !== 'confidentiality') return ok('PW-103', what)
  const why = 'no program may read kernel memory then: the module drops can’t name reasons; flows are counted'
  return warn('PW-103', what, why, 'boot with lockdown=integrity, or leave the module drops off')
}

/** The limit matters to kernels that charge maps to it. */
export function checkMemlock(release: string): Finding {
  const limit = /^Max locked memory\s+(\S+)/m.exec(read('/proc/self/limits'))?.[1] ?? 'unknown'
  const what = `locked memory: ${limit === 'unlimited' ? limit : `${limit} bytes`}`
  if (isAtLeast(release, FIRST_WITHOUT_MEMLOCK)) return ok('PW-113', `${what}; this kernel charges maps to the cgroup`)
  if (limit === 'unlimited' || Number(limit) >= ENOUGH_MEMLOCK_BYTES) return ok('PW-113', what)
  if (mayRaise()) return ok('PW-113', `${what}, and the right to raise it`)
  const why = 'kernels before 5.11 charge maps to it, and refuse with EPERM what does not fit'
  return warn(
    'PW-113',
    what,
    why,
    'set LimitMEMLOCK=infinity (systemd) or ulimit -l unlimited, or grant CAP_SYS_RESOURCE',
  )
}

function mayRaise(): boolean {
  const effective = /^CapEff:\t(\w+)$/m.exec(read('/proc/self/status'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n
}

function isAtLeast(release: string, [major, minor]: readonly [number, number]): boolean {
  const [hasMajor = 0, hasMinor = 0] = release.split(/[.-]/).map(Number)
  return hasMajor > major || (hasMajor === major && hasMinor >= minor)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}
