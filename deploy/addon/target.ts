// For which machines there are prebuilt addons.

export interface Target {
  /** As Node calls it. */
  readonly arch: 'x64' | 'arm64'
  readonly debian: 'amd64' | 'arm64'
  readonly triple: string
}

export const targets: readonly Target[] = [
  { arch: 'x64', debian: 'amd64', triple: 'x86_64-linux-gnu' },
  { arch: 'arm64', debian: 'arm64', triple: 'aarch64-linux-gnu' },
]

/** What an addon may ask of the C library: Node's own builds ask for this. */
export const NEWEST_GLIBC = '2.28'

export function targetOf(arch: string): Target | undefined {
  return targets.find(target => target.arch === arch)
}
