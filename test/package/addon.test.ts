// The prebuilt addons: what they ask of a machine, and that Node takes them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'mocha'
import { buildAddon } from '../../deploy/addon/build.ts'
import { sysrootFor } from '../../deploy/addon/sysroot.ts'
import { NEWEST_GLIBC, targetOf, targets } from '../../deploy/addon/target.ts'
import { nodeForArm, nodeOf, nodeReleases } from '../support/node-releases.ts'
import { unlessUnreachable } from '../support/reachable.ts'
import { skip } from '../support/skip.ts'

const COLD_BUILD_MS = 900_000
const FETCH_MS = 120_000
const abi = Number(/^#define FLOW_ABI (\d+)$/m.exec(readFileSync('ebpf/flow.h', 'utf8'))![1])

function readelf(path: string, ...parameters: string[]): string {
  const { status, stdout, stderr } = spawnSync('readelf', ['-W', ...parameters, path], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

/** Loads it and prints the number of the bytes that it shares with its kernel programs. */
function load(node: string[], addon: string): string {
  const program = 'process.stdout.write(String(require(process.argv[1]).flowAbi))'
  const { stdout, stderr, error } = spawnSync(node[0]!, [...node.slice(1), '-e', program, addon], { encoding: 'utf8' })
  return error?.message ?? stdout + stderr
}

const isNewer = (version: string) =>
  version.localeCompare(NEWEST_GLIBC, undefined, { numeric: true, sensitivity: 'base' }) > 0

describe('the prebuilt addon', function () {
  this.timeout(COLD_BUILD_MS)
  const addons = new Map<string, string>()

  before(function () {
    unlessUnreachable(this, () => {
      for (const target of targets) addons.set(target.arch, buildAddon(target))
    })
  })

  for (const { arch } of targets) {
    it(`for ${arch} needs no library but the C library`, () => {
      const needed = readelf(addons.get(arch)!, '-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)
      const others = [...needed].map(([, name]) => name!).filter(name => !/^(lib(c|m|pthread|dl)|ld-linux)/.test(name))
      assert.deepEqual(others, [])
    })

    it(`for ${arch} asks for no newer C library than Node itself does`, () => {
      const versions = [...readelf(addons.get(arch)!, '-V').matchAll(/Name: (GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)/g)]
      assert.notEqual(versions.length, 0)
      assert.deepEqual([...new Set(versions.map(([, library]) => library))], ['GLIBC'])
      assert.deepEqual(versions.map(([, , version]) => version!).filter(isNewer), [])
    })

    it(`for ${arch} shows nothing but what Node looks for`, () => {
      const symbols = readelf(addons.get(arch)!, '--dyn-syms').matchAll(/ (?:GLOBAL|WEAK) +DEFAULT +\d+ (\S+)/g)
      assert.deepEqual([...symbols].map(([, name]) => name).sort(), [
        'napi_register_module_v1',
        'node_api_module_get_api_version_v1',
      ])
    })

    it(`for ${arch} names no place of the machine that built it`, () => {
      const text = readFileSync(addons.get(arch)!, 'latin1')
      for (const place of [process.cwd(), join(homedir(), '.cache')]) assert.ok(!text.includes(place), place)
    })
  }

  for (const release of nodeReleases) {
    it(`loads on Node ${release}`, function () {
      this.timeout(FETCH_MS)
      if (process.arch !== 'x64') skip(this, 'these Nodes are x86_64’s')
      unlessUnreachable(this, () => assert.equal(load([nodeOf(release)], addons.get('x64')!), String(abi)))
    })
  }

  it('loads on Node for arm64, in an emulator', function () {
    this.timeout(FETCH_MS)
    if (spawnSync('qemu-aarch64', ['--version']).status !== 0) skip(this, 'qemu-user is not installed')
    unlessUnreachable(this, () => {
      const root = sysrootFor(targetOf('arm64')!, join(homedir(), '.cache/podweir/addon'))
      assert.equal(load(['qemu-aarch64', '-L', root, nodeForArm()], addons.get('arm64')!), String(abi))
    })
  })
})
