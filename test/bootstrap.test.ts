// What ./podweir says and does on a machine that lacks something, and how it starts on one that does not.
import assert from 'node:assert/strict'
import { chownSync, readFileSync, symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Clone, type Start } from './support/clone.ts'
import { skip } from './support/skip.ts'

const isRoot = process.getuid?.() === 0
const buildsWell = `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
mkdirSync('build/Release', { recursive: true })
writeFileSync('build/Release/podweir.node', '')
appendFileSync('built', process.argv.slice(2).join(' ') + '\\n')
await new Promise(resolve => setTimeout(resolve, 200))`
const buildsBadly = `console.log('addon/probe.cc:7:1: error: expected a semicolon'); process.exit(1)`

let clone: Clone

function assertRefused(start: Start, what: RegExp, remedy: RegExp): void {
  assert.equal(start.code, 1, start.stderr)
  assert.equal(start.stdout, '')
  const lines = start.stderr.trimEnd().split('\n')
  assert.match(lines.at(-2) ?? '', what)
  assert.match(lines.at(-1) ?? '', remedy)
  assert.match(lines.at(-2) ?? '', /^podweir: /)
  assert.match(lines.at(-1) ?? '', /^ {2}→ /)
}

describe('the bootstrap', () => {
  beforeEach(() => {
    clone = new Clone()
  })
  afterEach(() => clone.remove())

  describe('where something is missing', () => {
    const forbidden = { PODWEIR_NO_INSTALL: '1' }

    it('names clang and prints the command that installs it', async () => {
      const start = await clone.start({ path: [clone.commandsWithout('clang')], env: forbidden })
      assertRefused(
        start,
        /clang \(compiles the kernel programs\)/,
        /apt-get install -y --no-install-recommends .*\bclang\b/,
      )
      assert.doesNotMatch(start.stderr, /\bg\+\+/)
    })

    it('installs for test, beside what it needs, what checks form and fuzzes', async () => {
      const path = [clone.commandsWithout('clang')]
      for (const [parameters, wanted] of [
        [['test'], true],
        [['version'], false],
      ] as const) {
        const { stderr } = await clone.start({ path, env: forbidden, parameters: [...parameters] })
        assert.equal(/apt-get install .* clang-format .*\blibclang-rt-dev/.test(stderr), wanted, stderr)
      }
    })

    it('names npm and prints the command that installs it', async () => {
      const start = await clone.start({ path: [clone.commandsWithout('npm')], env: forbidden })
      assertRefused(start, /npm \(installs the npm packages\)/, /apt-get install .*\bnpm\b/)
      assert.doesNotMatch(start.stderr, /\bclang\b/)
    })

    it('does not ask for npm where the npm packages are installed', async () => {
      clone.installed(buildsWell)
      const start = await clone.start({ path: [clone.commandsWithout('npm', 'make')], env: forbidden })
      assertRefused(start, /make \(builds\)/, /apt-get install .*\bmake\b/)
      assert.doesNotMatch(start.stderr, /\bnpm\b/)
    })

    it('takes bpftool from the kernel tools on Ubuntu', async () => {
      clone.osRelease('ID=ubuntu\nID_LIKE=debian')
      clone.fake('bpftool', 'echo no bpftool for this kernel; exit 2')
      const start = await clone.start({ path: [clone.fakes, clone.commandsWithout()], env: forbidden })
      assertRefused(start, /bpftool/, /apt-get install .*\blinux-tools-generic\b/)
    })

    it('names QEMU where the kernel matrix is asked for, and not elsewhere', async function () {
      if (process.arch !== 'x64') skip(this, 'the kernels of the matrix are x86_64’s')
      clone.installed(buildsWell)
      await clone.start()
      const path = [clone.commandsWithout()]
      const start = await clone.start({ path, parameters: ['test', '--kernels'], env: forbidden })
      assertRefused(start, /lacks qemu-system-x86 \(boots /, /apt-get install .* qemu-system-x86$/)
      assert.equal((await clone.start({ path, parameters: ['test'], env: forbidden })).code, 0)
    })

    it('names the packages and stops on another distribution', async () => {
      clone.osRelease('ID=fedora')
      const start = await clone.start({ path: [clone.commandsWithout('clang', 'npm')] })
      assertRefused(start, /only on Debian and Ubuntu/, /packages: .*\bnpm\b.*\bclang\b/)
    })

    it('asks an ordinary user to come back with sudo', async () => {
      if (isRoot) chownSync(clone.tree, 65_534, 65_534)
      const path = [clone.commandsWithout('clang')]
      const start = await clone.start({ path, asNobody: isRoot, parameters: ['demo', '--for', '3 s'] })
      assertRefused(start, /installing takes root/, /run: sudo \S*a\\ tree\/podweir demo --for 3\\ s$/)
    })

    it('says why packages could not be installed', async function () {
      if (!isRoot) skip(this, 'only root gets as far as apt-get')
      clone.fake('apt-get', 'echo "E: Failed to fetch http://mirror/clang.deb"; exit 100')
      const start = await clone.start({ path: [clone.fakes, clone.commandsWithout('clang')] })
      assertRefused(start, /install .*clang.*: E: Failed to fetch/, /check network and package sources/)
    })

    it('says why the npm packages could not be fetched', async () => {
      clone.fake('npm', 'echo "npm error code ENOTFOUND"; exit 1')
      const start = await clone.start()
      assertRefused(start, /npm ci: npm error code ENOTFOUND/, /check network, proxy and registry/)
      assert.equal(clone.has('node_modules/.podweir-lock.json'), false)
    })

    it('says that the disk is full before it installs', async function () {
      if (!isRoot) skip(this, 'a small file system of its own takes root')
      clone.fake('npm', 'touch npm-ran')
      // The mount is seen in this namespace alone and ends with it. The tree itself has to lie on it.
      const script = `cp -r "$0" "$0.copy" && mount -t tmpfs -o size=8m none "$0" && cp -r "$0.copy/." "$0" && exec "$0/podweir" version`
      const parameters = ['--mount', 'bash', '-c', script, clone.tree]
      const start = await clone.start({ program: 'unshare', parameters })
      assertRefused(start, /only \d MB are free/, /free 1 GB/)
    })

    it('refuses a machine of another architecture', async () => {
      clone.fake('uname', 'echo riscv64')
      assertRefused(await clone.start(), /riscv64.*x86_64 and aarch64/, /run it on one of these/)
    })
  })

  describe('where all is there', () => {
    it('passes arguments and folder on, through a link, and keeps stdout clean', async () => {
      clone.installed(buildsWell)
      symlinkSync(join(clone.tree, 'podweir'), join(clone.fakes, 'pw'))
      const program = join(clone.fakes, 'pw')
      const start = await clone.start({ program, parameters: ['two words', '-o', '*'], cwd: '/' })
      assert.equal(start.code, 0, start.stderr)
      assert.deepEqual(JSON.parse(start.stdout), { cwd: '/', said: ['two words', '-o', '*'] })
    })

    it('builds once, and again when a source is newer', async () => {
      clone.installed(buildsWell)
      await clone.start()
      assert.equal((await clone.start()).stderr, '')
      const soon = new Date(Date.now() + 5_000)
      utimesSync(join(clone.tree, 'ebpf/flow.h'), soon, soon)
      assert.match((await clone.start()).stderr, /building/)
      assert.equal(readFileSync(join(clone.tree, 'built'), 'utf8').split('\n').length, 3)
    })

    it('builds once for two starts at the same moment', async () => {
      clone.installed(buildsWell)
      const starts = await Promise.all([clone.start(), clone.start()])
      assert.deepEqual(
        starts.map(start => start.code),
        [0, 0],
      )
      assert.equal(readFileSync(join(clone.tree, 'built'), 'utf8').split('\n').length, 2)
    })

    it('shows a failed build and tries again at the next start', async () => {
      clone.installed(buildsBadly)
      assertRefused(await clone.start(), /build: .*expected a semicolon/, /whole output: .*build\.log/)
      assertRefused(await clone.start(), /build: .*expected a semicolon/, /whole output/)
      clone.installed(buildsWell)
      assert.equal((await clone.start()).code, 0)
    })

    it('installs again when package-lock.json has changed', async () => {
      clone.installed(buildsWell)
      const past = new Date(Date.now() - 5_000)
      utimesSync(join(clone.tree, 'node_modules/.package-lock.json'), past, past)
      clone.write('package-lock.json', '{ "changed": true }')
      clone.fake('npm', 'echo "$@" >> npm-ran; touch node_modules/.package-lock.json')
      assert.equal((await clone.start()).code, 0)
      assert.equal((await clone.start()).stderr, '')
      assert.match(readFileSync(join(clone.tree, 'npm-ran'), 'utf8'), /^ci --ignore-scripts [^\n]*\n$/)
    })

    it('adds less than 150 ms to a start', async () => {
      clone.installed(buildsWell)
      await clone.start()
      clone.installed('', '/bin/true')
      const durationsMs: number[] = []
      for (let i = 0; i < 5; i++) {
        const beganMs = performance.now()
        assert.equal((await clone.start()).stderr, '')
        durationsMs.push(performance.now() - beganMs)
      }
      assert.ok(Math.min(...durationsMs) < 150, `${durationsMs}`)
    })
  })
})
