// `podweir doctor` on this machine: what it finds with which rights, that it names what is wrong, and that it leaves nothing.
import assert from 'node:assert/strict'
import { readlinkSync } from 'node:fs'
import { after, before, describe, it } from 'mocha'
import type { Finding } from '../../lib/doctor/finding.ts'
import type { Mode } from '../../lib/doctor/rights-checks.ts'
import { AgentFolder, inventoryOf, podIn } from '../agent/agent-folder.ts'
import { freePort } from '../support/collector.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { PodweirProcess, type ProcessOptions } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'

interface Report {
  readonly mode: Mode
  readonly checks: readonly Finding[]
}

/** Nor may it write where coverage goes. */
const NOBODY = ['env', '-u', 'NODE_V8_COVERAGE', 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

function only(...names: readonly string[]): ProcessOptions {
  return {
    through: ['setpriv', `--bounding-set=${['-all', ...names.map(name => `+${name}`)].join(',')}`, '--inh-caps=-all'],
  }
}

async function doctor(options?: ProcessOptions, ...args: readonly string[]): Promise<Report & { code: number | null }> {
  const { code, stdout, stderr } = await new PodweirProcess(['doctor', '-o', 'json', ...args], options).end()
  assert.equal(stderr, '')
  return { ...(JSON.parse(stdout) as Report), code }
}

function finding({ checks }: Report, code: string): Finding {
  const found = checks.filter(check => check.code === code)
  assert.equal(found.length, 1, `${code}: ${JSON.stringify(found)}`)
  return found[0]!
}

describe('podweir doctor', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let a: TestNamespace

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    ;({ a } = await namespaces.createPair())
  })
  after(() => namespaces?.remove())

  it('finds with all rights that mode standard works, and counts packets in namespaces of its own', async () => {
    const report = await doctor()
    assert.deepEqual([report.mode, report.code], ['standard', 0])
    for (const code of ['PW-101', 'PW-104', 'PW-111', 'PW-112', 'PW-131', 'PW-134'])
      assert.equal(finding(report, code).status, 'ok', code)
    assert.match(finding(report, 'PW-134').what, /^5 packets sent and counted .* of its own, by (tcx and )?clsact$/)
    for (const { status, why, fix } of report.checks) assert.equal(status === 'ok', why === '' && fix === '')
  })

  it('finds with CAP_BPF and CAP_NET_ADMIN that mode restricted works, and counts packets here', async () => {
    const report = await doctor(only('bpf', 'net_admin'))
    assert.deepEqual([report.mode, report.code], ['restricted', 0])
    assert.match(finding(report, 'PW-134').what, /^5 packets sent and counted .* in this namespace/)
    assert.match(finding(report, 'PW-111').what, /missing CAP_SYS_PTRACE, CAP_SYS_ADMIN$/)
    assert.doesNotMatch(await namespaceLinks(), /pw(near|far)/)
  })

  const standard = ['bpf', 'net_admin', 'sys_ptrace', 'sys_admin']
  for (const [settings, all] of [
    [{}, standard],
    [{ attach: 'host' }, ['bpf', 'net_admin']],
    [{ modules: { drops: 'on' } }, [...standard, 'perfmon']],
  ] as const)
    it(`names each of ${all.join(', ')} when it is the one that is missing`, async () => {
      const folder = new AgentFolder()
      try {
        const file = folder.settings({ inventory: inventoryOf(podIn('a', a)), receiver: settings })
        for (const less of all) {
          const report = await doctor(only(...all.filter(name => name !== less)), '--config', file)
          const { status, what, why, fix } = finding(report, 'PW-111')
          assert.match(what, RegExp(`missing CAP_${less.toUpperCase()}$`))
          assert.match(why, RegExp(`^CAP_${less.toUpperCase()}: `))
          assert.match(fix, /^run as root, or grant/)
          const vital = less === 'bpf' || less === 'net_admin'
          assert.equal(status, vital ? 'fail' : 'warn')
          assert.equal(report.code, vital ? 3 : 0, JSON.stringify(report.checks.filter(each => each.status === 'fail')))
        }
        assert.equal(finding(await doctor(only(...all), '--config', file), 'PW-111').status, 'ok')
      } finally {
        await folder.remove()
      }
    })

  it('tells an ordinary user what is missing', async () => {
    const report = await doctor({ through: NOBODY })
    assert.deepEqual([report.mode, report.code], ['none', 3])
    assert.match(finding(report, 'PW-131').why, /Operation not permitted: missing: CAP_BPF, CAP_NET_ADMIN$/)
    assert.deepEqual(
      report.checks
        .filter(({ status }) => status === 'skip')
        .map(({ code }) => code)
        .slice(0, 4),
      ['PW-127', 'PW-132', 'PW-133', 'PW-134'],
    )
  })

  it('tells a person why and what to do, line by line', async () => {
    const { code, stdout } = await new PodweirProcess(['doctor'], { through: NOBODY }).end()
    assert.equal(code, 3)
    assert.match(stdout, /^✔ PW-101 {2}kernel \d/m)
    assert.match(
      stdout,
      /^✖ PW-112 {2}no mode would work\n {10}why {2}even restricted needs .*\n {10}fix {2}run as root/m,
    )
    assert.match(stdout, /^\d+ checks: 3 failed, \d+ warnings\n$/m)
  })

  it('shows whose programs are in a pod, and warns of an ingress qdisc', async () => {
    await a.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'ingress')
    const { status, what, why } = finding(await doctor(), 'PW-124')
    assert.equal(status, 'warn')
    assert.match(what, RegExp(`qdisc ingress at eth0 in ${a.path}`))
    assert.match(why, /only tcx can attach/)
    await a.run('tc', 'qdisc', 'del', 'dev', 'eth0', 'ingress')
    assert.doesNotMatch(finding(await doctor(), 'PW-124').what, RegExp(a.path))
  })

  it('looks at connection tracking where the module is on, and says which right is missing', async () => {
    const folder = new AgentFolder()
    try {
      const file = folder.settings({ receiver: { modules: { conntrack: 'on' } } })
      const found = finding(await doctor({}, '--config', file), 'PW-127')
      assert.match(`${found.status} ${found.what}`, /^ok \d+ connections are tracked here/)
      const refused = finding(await doctor(only('bpf'), '--config', file), 'PW-127')
      assert.deepEqual([refused.status, refused.what], ['warn', 'connection tracking can’t be asked'])
      assert.match(refused.why, /Operation not permitted; .* edges end at what its endpoints share$/)
      assert.equal(refused.fix, 'run as root, or grant CAP_NET_ADMIN')
      const elsewhere = { through: ['unshare', '--net'] }
      const { status, what, fix } = finding(await doctor(elsewhere, '--config', file), 'PW-127')
      // Whose process 1 can be seen knows that it is somewhere else.
      if (seesFirstProcess()) assert.deepEqual([status, what], ['warn', 'this is not the node’s network namespace'])
      else assert.match(`${status} ${what} ${fix}`, /^ok 0 connections are tracked here; whether .* can’t be told/)
    } finally {
      await folder.remove()
    }
  })

  it('says whether pods of the host network can be known by their sockets', async () => {
    assert.match(
      finding(await doctor(), 'PW-128').what,
      /^pods of the host network are known by their sockets \(\/sys\/fs\/cgroup/,
    )
    const hidden = {
      through: [
        'unshare',
        '--mount',
        'sh',
        '-c',
        'umount -l /sys/fs/cgroup/unified || umount -l /sys/fs/cgroup; exec "$0" "$@"',
      ],
    }
    const { status, what, fix } = finding(await doctor(hidden), 'PW-128')
    assert.deepEqual([status, what], ['warn', 'no tree of cgroup v2'])
    assert.match(fix, /mount the host’s \/sys\/fs\/cgroup/)
  })

  it('warns of an agent that runs, and fails where nobody listens for its exporter', async () => {
    const folder = new AgentFolder()
    try {
      const port = await freePort()
      const settings = { inventory: inventoryOf(podIn('a', a)), otlp: `http://127.0.0.1:${port}` }
      await folder.started(settings)
      const report = await doctor({}, '--config', folder.settings(settings))
      assert.equal(report.code, 3)
      assert.equal(finding(report, 'PW-141').status, 'ok')
      assert.match(finding(report, 'PW-125').what, /^an agent answers at .*agent\.sock$/)
      assert.match(finding(report, 'PW-142').what, RegExp(`nobody takes connections at 127\\.0\\.0\\.1:${port}$`))
      assert.match(finding(report, 'PW-142').why, /ECONNREFUSED/)
    } finally {
      await folder.remove()
    }
  })

  it('fails for settings that the agent would refuse, and looks at all else', async () => {
    const folder = new AgentFolder()
    try {
      const report = await doctor(
        {},
        '--config',
        folder.write('wrong.yaml', 'receivers: { podweir: { attach: up } }\n'),
      )
      assert.equal(report.code, 3)
      assert.match(finding(report, 'PW-141').why, /wrong\.yaml:1:\d+: receivers\.podweir\.attach/)
      assert.equal(finding(report, 'PW-134').status, 'ok')
    } finally {
      await folder.remove()
    }
  })

  function seesFirstProcess(): boolean {
    try {
      return readlinkSync('/proc/1/ns/net') !== ''
    } catch {
      return false
    }
  }

  async function namespaceLinks(): Promise<string> {
    const { readdirSync } = await import('node:fs')
    return readdirSync('/sys/class/net').join(' ')
  }
})
