// The image: what is in it, that building gives the same one again, and that a container runtime takes and runs it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { targetOf } from '../../deploy/addon/target.ts'
import { buildBundle } from '../../deploy/bundle/build.ts'
import { type BuiltImage, buildImage } from '../../deploy/image/build.ts'
import { Containerd, needContainerd } from '../support/containerd.ts'
import { unlessUnreachable } from '../support/reachable.ts'

const COLD_BUILD_MS = 900_000
const MOST_BYTES = 132e6
const NAME = 'localhost/podweir'
/** As the chart runs it. */
const CONFINED = ['--read-only']

interface Descriptor {
  readonly digest: string
  readonly size: number
}

describe('the image', function () {
  this.timeout(COLD_BUILD_MS)
  let folder = ''
  let built: BuiltImage
  let again: BuiltImage
  let containerd: Containerd | undefined

  before('build it twice, and import it', async function () {
    needContainerd(this)
    folder = mkdtempSync(join(tmpdir(), 'podweir-image-'))
    const target = targetOf(process.arch)!
    const build = (into: string) => buildImage(target, buildBundle(), NAME, join(folder, into))
    unlessUnreachable(this, () => {
      built = build('one')
      again = build('another')
    })
    containerd = await Containerd.start()
    const { status, said } = containerd.import(built.path)
    assert.equal(status, 0, said)
  })
  after(async () => {
    await containerd?.stop()
    if (folder) rmSync(folder, { recursive: true })
  })

  const run = (options: readonly string[], ...parameters: string[]) =>
    containerd!.run([...CONFINED, ...options], built.name, ...parameters)
  const blob = (digest: string) =>
    spawnSync('tar', ['-xOf', built.path, `./blobs/${digest.replace(':', '/')}`], { maxBuffer: 2 ** 28 }).stdout
  const manifest = (): { config: Descriptor; layers: Descriptor[] } => JSON.parse(String(blob(built.digest)))

  it('is the same to the last byte when it is built again elsewhere', () => {
    assert.equal(again.digest, built.digest)
    assert.ok(readFileSync(again.path).equals(readFileSync(built.path)))
    assert.equal(readFileSync(again.sbom, 'utf8'), readFileSync(built.sbom, 'utf8'))
  })

  it('has at most 132 MB', () => {
    assert.ok(built.bytes <= MOST_BYTES, `${built.bytes} bytes`)
  })

  it('has every part under the digest and size by which it is named', () => {
    const { config, layers } = manifest()
    for (const { digest, size } of [config, ...layers]) {
      const bytes = blob(digest)
      assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest)
      assert.equal(bytes.length, size)
    }
  })

  it('has Node, its libraries, certificates and the program, and neither a shell nor a second program', () => {
    const tree = join(folder, 'one', `tree-${targetOf(process.arch)!.debian}`)
    const programs = globSync(['{base,app}/{,usr/}{,s}bin/*'], { cwd: tree }).sort()
    assert.deepEqual(programs, ['app/usr/bin/podweir', 'base/usr/bin/node'])
    const parts = globSync('app/opt/podweir/*', { cwd: tree }).map(path => path.split('/').at(-1))
    assert.deepEqual(parts.sort(), ['compile-cache', 'lib', 'licences', 'package.json', 'prebuilds'])
    assert.equal(globSync('app/opt/podweir/**/*.ts', { cwd: tree }).length, 0)
  })

  it('is known to the runtime by its name and digest', () => {
    assert.deepEqual(containerd!.images(), [`${built.name} ${built.digest}`])
  })

  it('says its version, on a root file system that is read-only', () => {
    const { status, said } = run([], 'podweir', 'version')
    assert.match(said, /^podweir \d+\.\d+\.\d+ \(node [\d.]+, linux /)
    assert.equal(status, 0)
  })

  it('takes its code out of the compile cache', () => {
    const { said } = run(['--env', 'NODE_DEBUG_NATIVE=COMPILE_CACHE'], 'podweir', 'version')
    assert.match(said, /code cache for ESM .*main\.js was accepted/)
    assert.doesNotMatch(said, /rejected|stale/)
  })

  it('loads the kernel programs with the two capabilities of the profile restricted', () => {
    const { said } = run(['--cap-add', 'CAP_BPF', '--cap-add', 'CAP_NET_ADMIN'], 'podweir', 'doctor')
    assert.match(said, /^✔ PW-104 /m)
    assert.match(said, /^✔ PW-131 /m)
  })

  it('says what a container without capabilities lacks', () => {
    const { status, said } = run([], 'podweir', 'doctor')
    assert.match(said, /^✖ PW-112 .*\n.*CAP_BPF, CAP_NET_ADMIN$/m)
    assert.equal(status, 3)
  })

  it('lists what it is made of: packages of npm and of Debian, libraries, Node', () => {
    const { bomFormat, components } = JSON.parse(readFileSync(built.sbom, 'utf8'))
    assert.equal(bomFormat, 'CycloneDX')
    const listed = new Set((components as { purl: string }[]).map(({ purl }) => purl.split('@')[0]))
    for (const part of ['pkg:deb/debian/libc6', 'pkg:deb/debian/ca-certificates', 'pkg:generic/libbpf'])
      assert.ok(listed.has(part), part)
    assert.ok(listed.has(`pkg:npm/node-linux-${process.arch}`))
    const bundled = buildBundle().packages.map(path => path.replace(/^.*node_modules\//, '').replace('@', '%40'))
    assert.deepEqual(
      bundled.filter(name => !listed.has(`pkg:npm/${name}`)),
      [],
    )
  })
})
