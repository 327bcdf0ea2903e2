// The npm package: what is in it, and what a program gets that installs it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { existingLinks } from '../support/bpf-objects.ts'
import { Example } from '../support/example.ts'
import { compilers, InstalledPackage } from '../support/installed-package.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { nodeOf, nodeReleases } from '../support/node-releases.ts'
import { unlessUnreachable } from '../support/reachable.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const COLD_BUILD_MS = 900_000
const MOST_BYTES = 2.5e6
const PORT = 9000
const DATAGRAMS = 40

/** Sent bytes of the example's lines. */
function bytesIn(output: string): number {
  return [...output.matchAll(/^udp \S+ \S+ (\d+) \d+$/gm)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
}

describe('the npm package', function () {
  this.timeout(COLD_BUILD_MS)
  let installed: InstalledPackage

  before(function () {
    unlessUnreachable(this, () => {
      installed = new InstalledPackage()
    })
    installed.add('raw-batches.ts')
  })
  after(() => installed?.remove())

  const manifest = () => JSON.parse(readFileSync(join(installed.folder, 'node_modules/podweir/package.json'), 'utf8'))

  it('has at most 2.5 MB, with addons for both processors', () => {
    assert.ok(statSync(installed.archive).size <= MOST_BYTES, `${statSync(installed.archive).size} bytes`)
    for (const arch of ['x64', 'arm64'])
      statSync(join(installed.folder, `node_modules/podweir/prebuilds/linux-${arch}/podweir.node`))
  })

  it('runs nothing at installation, and has nothing that npm would build', () => {
    const { scripts, devDependencies, gypfile, files } = manifest()
    assert.deepEqual([scripts, devDependencies, gypfile], [undefined, undefined, undefined])
    assert.deepEqual(files, ['dist', 'prebuilds', 'licences', 'CHANGELOG.md'])
    const { stdout } = spawnSync('tar', ['-tzf', installed.archive], { encoding: 'utf8' })
    const places = new Set(
      stdout
        .trim()
        .split('\n')
        .map(path => path.split('/')[1]!),
    )
    assert.deepEqual([...places].sort(), [
      ...['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'licences', 'package.json', 'prebuilds'],
    ])
  })

  it('has the licences of what is linked into the addons', () => {
    const licences = join(installed.folder, 'node_modules/podweir/licences')
    for (const text of ['elfutils/COPYING-LGPLV3', 'elfutils/COPYING', 'libbpf/LICENSE.BSD-2-Clause', 'zlib/README'])
      assert.ok(statSync(join(licences, text)).size > 1_000, text)
  })

  for (const version of compilers)
    it(`compiles with TypeScript ${version}, its own types checked too`, function () {
      unlessUnreachable(this, () => assert.equal(installed.compile(version), ''))
    })

  it('has a command line, which says what is not in it', () => {
    const podweir = (...parameters: string[]) =>
      spawnSync(process.execPath, [join(installed.folder, 'node_modules/.bin/podweir'), ...parameters], {
        encoding: 'utf8',
      })
    assert.match(podweir('version').stdout, /^podweir \d+\.\d+\.\d+ /)
    assert.match(podweir('config', 'print').stderr + podweir('config', 'print').stdout, /flow_limit/)
    for (const verb of ['demo', 'test'])
      assert.match(
        podweir(verb).stderr,
        new RegExp(`start podweir ${verb}: .*\n {2}→ run ./podweir ${verb} in a clone`),
      )
  })

  describe('on real traffic', () => {
    let namespaces: Namespaces
    let a: TestNamespace
    let b: TestNamespace

    before(async function () {
      if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
      if (process.arch !== 'x64') skip(this, 'these Nodes are x86_64’s')
      namespaces = new Namespaces()
      ;({ a, b } = await namespaces.createPair())
    })
    after(() => namespaces?.remove())

    for (const release of nodeReleases)
      it(`yields every byte of a pod’s flows, on Node ${release}`, async function () {
        const node = unlessUnreachable(this, () => nodeOf(release))
        assert.equal(installed.compile('7'), '')
        const linksBefore = await existingLinks()
        const example = new Example(node, installed.folder, 'compiled/raw-batches.js', a.path)
        await example.says(/^attached by/m)
        const before = await a.device()
        const server = await b.serve('udp-serve', '--port', PORT)
        await a.traffic('udp-send', '--to', b.addresses.v4, '--port', PORT, '--count', DATAGRAMS)
        await server.stop()
        const sentBytes = (await a.device()).transmitBytes - before.transmitBytes
        assert.ok(sentBytes > DATAGRAMS)
        await until('it has told of all', () => bytesIn(example.output) >= sentBytes)
        await example.end()
        assert.equal(bytesIn(example.output), sentBytes)
        assert.match(example.output, new RegExp(`^udp ${a.addresses.v4}:\\d+ ${b.addresses.v4}:${PORT} \\d+ 0$`, 'm'))
        assert.deepEqual(await existingLinks(), linksBefore)
      })
  })
})
