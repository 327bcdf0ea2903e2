import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Config, parseConfig } from '../../lib/config/config.ts'
import { problemsOf } from '../support/config-problems.ts'
import { configText } from '../support/config-text.ts'

const TLS = 'tls: { cert_file: c.pem, key_file: k.pem }'

describe('the settings of an agent that asks a resolver', () => {
  const asking = (resolver: string) => `receivers: { podweir: { kubernetes: { ${resolver} } } }`

  it('name it with a port, and trust the system’s authorities unless told', () => {
    const { kubernetes } = parse(asking('peers: resolver, resolver: { endpoint: "r.example:9470" }'))
    assert.equal(kubernetes.peers, 'resolver')
    assert.deepEqual(kubernetes.resolver, { server: 'https://r.example:9470', tls: { minVersion: '1.2' } })
  })

  it('say everything that a connection needs', () => {
    const tls = 'ca_file: ca, cert_file: c, key_file: k, server_name_override: n, min_version: 1.3'
    const text = asking(
      `peers: resolver, resolver: { endpoint: "https://[fd00::1]:1", tls: { ${tls} }, token_file: t }`,
    )
    assert.deepEqual(parse(text).kubernetes.resolver, {
      server: 'https://[fd00::1]:1',
      tls: { serverName: 'n', caFile: 'ca', certFile: 'c', keyFile: 'k', minVersion: '1.3' },
      tokenFile: 't',
    })
    assert.deepEqual(parse(configText(parse(text))).kubernetes, parse(text).kubernetes)
  })

  it('have no effect on who watches', () => {
    const { kubernetes, warnings } = parse(asking('resolver: { endpoint: "r:1" }'))
    assert.equal(kubernetes.resolver, undefined)
    assert.match(warnings.join(), /resolver is ignored with peers: watch/)
  })

  it('warn where nobody has said whose pods are the local ones', () => {
    const { warnings } = parse(asking('auth_type: serviceAccount, peers: resolver, resolver: { endpoint: "r:1" }'))
    assert.match(warnings.join(), /this node’s pods will not be known/)
  })

  const where = 'receivers.podweir.kubernetes'
  for (const [setting, what] of [
    ['peers: resolver', `${where}.peers: needs resolver.endpoint beside it; allowed: watch, none`],
    ['resolver: { tls: {} }', `${where}.resolver.endpoint: is missing; allowed: HOST:PORT or https://HOST:PORT`],
    ['resolver: { endpoint: r }', `${where}.resolver.endpoint: 'r' is not allowed; allowed: HOST:PORT`],
    ['resolver: { endpoint: "http://r:1" }', `${where}.resolver.endpoint: 'http://r:1' is not allowed`],
    ['resolver: { endpoint: "r:1", tls: { insecure: true } }', `${where}.resolver.tls.insecure: unknown key`],
    [
      'peers: resolver, resolver: { endpoint: "r:1", tls: { cert_file: c } }',
      `${where}.resolver.tls: one half of a client certificate; allowed: cert_file with key_file`,
    ],
  ] as const)
    it(`are refused with their place: ${setting}`, () => {
      const [problem, ...more] = problemsOf(asking(setting))
      assert.ok(problem?.includes(what) ?? false, problem ?? 'nothing is wrong')
      assert.equal(more.length, 0)
    })
})

describe('the settings of a resolver', () => {
  it('are none unless there is a section', () => {
    assert.equal(parse('').resolver, undefined)
  })

  it('have defaults for everything but its certificate and whom it trusts', () => {
    assert.deepEqual(parse(`resolver: { ${TLS}, token_review: {} }`).resolver, {
      ...{ host: '0.0.0.0', port: 9470, maxAgents: 2_000 },
      tls: { certFile: 'c.pem', keyFile: 'k.pem', minVersion: '1.2', reloadMs: 60_000 },
      tokenReview: { audience: 'podweir-resolver', serviceAccounts: ['podweir-system/podweir'] },
    })
  })

  it('are printed so that they read back as the same', () => {
    const tls = 'tls: { cert_file: c, key_file: k, client_ca_file: a, min_version: "1.3", reload_interval: 5s }'
    const review = 'token_review: { audience: other, service_accounts: [a/b, c/d] }'
    const text = `resolver: { endpoint: "[::1]:0", ${tls}, token_file: t, ${review}, max_agents: 7 }`
    assert.equal(parse(text).resolver!.maxAgents, 7)
    assert.deepEqual(parse(configText(parse(text))).resolver, parse(text).resolver)
  })

  for (const [setting, what] of [
    [TLS, 'resolver: nobody could ask it: it trusts no certificate and no token; allowed: tls.client_ca_file'],
    ['token_file: t', 'resolver.tls: is missing; allowed: cert_file, key_file'],
    [`${TLS}, token_file: t, endpoint: here`, "resolver.endpoint: 'here' is not allowed; allowed: HOST:PORT"],
    [`${TLS}, token_review: { service_accounts: [podweir] }`, "service_accounts[0]: 'podweir' is not allowed"],
    [
      `${TLS}, token_review: { service_accounts: [] }`,
      'service_accounts: a list is not allowed; allowed: at least one',
    ],
    [`${TLS}, token_file: t, max_agents: 0`, 'resolver.max_agents: 0 is not allowed; allowed: a whole number from 1'],
    [`${TLS}, token_file: t, agents: 1`, 'resolver.agents: unknown key'],
  ] as const)
    it(`are refused with their place: ${setting}`, () => {
      const [problem, ...more] = problemsOf(`resolver: { ${setting} }`)
      assert.ok(problem?.includes(what) ?? false, problem ?? 'nothing is wrong')
      assert.equal(more.length, 0)
    })
})

function parse(text: string): Config {
  return parseConfig(text, 'a.yaml', {})
}
