import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Config, parseConfig } from '../../lib/config/config.ts'
import { WrongSettings } from '../../lib/config/problems.ts'
import { configText } from '../support/config-text.ts'
import { scopeOf } from '../support/scope.ts'

const everyKind = `
receivers:
  podweir:
    scope:
      include:
        namespaces: [shop, "team-*"]
        labels: [app, tier=front*, "app.kubernetes.io/name=", Empty_1]
        workloads: [DaemonSet/*, "*/web-?"]
        cidrs: [10.0.0.0/8, "2001:DB8::/32"]
        ports: [80, "443/tcp", 8000-8100/udp]
        interfaces: [eth0, "net[0-9]"]
      exclude:
        namespaces: [kube-system]
        cidrs: [10.1.0.0/16]
    own_traffic: include
`

describe('the scope’s settings', () => {
  it('are everything and nothing when there are none, and our own traffic is left out', () => {
    assert.deepEqual([parse('').scope, parse('').ownTraffic], [scopeOf({}), 'exclude'])
  })

  it('are read as they are written, blocks in their one form', () => {
    const { scope, ownTraffic } = parse(everyKind)
    assert.deepEqual(
      scope,
      scopeOf({
        include: {
          namespaces: ['shop', 'team-*'],
          labels: ['app', 'tier=front*', 'app.kubernetes.io/name=', 'Empty_1'],
          workloads: ['DaemonSet/*', '*/web-?'],
          cidrs: ['10.0.0.0/8', '2001:db8::/32'],
          ports: ['80', '443/tcp', '8000-8100/udp'],
          interfaces: ['eth0', 'net[0-9]'],
        },
        exclude: { namespaces: ['kube-system'], cidrs: ['10.1.0.0/16'] },
      }),
    )
    assert.equal(ownTraffic, 'include')
  })

  it('are printed so that they read back as the same', () => {
    const { scope, ownTraffic } = parse(configText(parse(everyKind)))
    assert.deepEqual([scope, ownTraffic], [parse(everyKind).scope, 'include'])
  })

  const wrong: readonly [rules: string, at: string, what: string | RegExp][] = [
    ['{ namespaces: [a b] }', 'a b', "include.namespaces[0]: 'a b' is not allowed; allowed: the name of a namespace"],
    ['{ labels: ["=x"] }', '"=x"', "include.labels[0]: '=x' is not allowed; allowed: KEY or KEY=VALUE"],
    ['{ labels: [a=b=c] }', 'a=b=c', "include.labels[0]: 'a=b=c' is not allowed"],
    ['{ workloads: [web] }', 'web', "include.workloads[0]: 'web' is not allowed; allowed: KIND/NAME"],
    ['{ cidrs: [10.0.0.1/8] }', '10.0.0.1/8', "include.cidrs[0]: '10.0.0.1/8' is not allowed; allowed: ADDRESS/LENGTH"],
    ['{ ports: [0] }', '0]', 'include.ports[0]: 0 is not allowed; allowed: 1 to 65535 or FIRST-LAST'],
    ['{ ports: [90-80] }', '90-80', "include.ports[0]: '90-80' is not allowed"],
    ['{ ports: [65536] }', '65536', 'include.ports[0]: 65536 is not allowed'],
    ['{ ports: [80/icmp] }', '80/icmp', "include.ports[0]: '80/icmp' is not allowed"],
    ['{ interfaces: [a/b] }', 'a/b', "include.interfaces[0]: 'a/b' is not allowed; allowed: a device name"],
    ['{ port: [80] }', 'port:', "include.port: unknown key (did you mean 'ports'?)"],
    [
      `{ cidrs: [${Array.from({ length: 1025 }, (_, i) => `10.0.${i >> 8}.${i & 255}/32`)}] }`,
      '',
      /at most 1024 blocks/,
    ],
  ]
  for (const [rules, at, what] of wrong)
    it(`are refused with their place: ${rules.slice(0, 30)}`, () => {
      const line = `  { include: ${rules} }`
      const [problem, ...more] = problemsOf(`receivers: { podweir: { scope:\n${line} } }`)
      assert.equal(more.length, 0)
      if (typeof what !== 'string') return assert.match(problem!, what)
      const [, ...found] = /^a\.yaml:(\d+):(\d+): receivers\.podweir\.scope\.(.*)$/.exec(problem!)!
      assert.deepEqual([...found.slice(0, 2), found[2]!.slice(0, what.length)], ['2', `${line.indexOf(at) + 1}`, what])
    })

  it('are refused where a rule is on both sides', () => {
    const settings = 'receivers:\n  podweir:\n    scope: { include: { ports: [1, 80] }, exclude: { ports: [7, 80] } }\n'
    assert.deepEqual(problemsOf(settings), [
      'a.yaml:3:65: receivers.podweir.scope.exclude.ports[1]: 80 is included too; allowed: each rule on one side',
    ])
  })
})

function parse(text: string): Config {
  return parseConfig(text, 'a.yaml', {})
}

function problemsOf(text: string): readonly string[] {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof WrongSettings) return error.problems
    throw error
  }
  return []
}
