import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Config, parseConfig } from '../../lib/config/config.ts'
import { WrongSettings } from '../../lib/config/problems.ts'
import { configText } from '../support/config-text.ts'

const inCluster = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '6443', K8S_NODE_NAME: 'node-7' }
const nothing = { peers: 'watch', labels: [], annotations: [] }

describe('the Kubernetes API’s settings', () => {
  it('are the service account where the environment says that we are in a cluster, and none elsewhere', () => {
    assert.deepEqual(parse('').kubernetes, { authType: 'none', ...nothing })
    const found = { authType: 'serviceAccount', server: 'https://10.96.0.1:6443', nodeName: 'node-7', ...nothing }
    assert.deepEqual(parse('', inCluster).kubernetes, found)
    assert.deepEqual(parse(settings('auth_type: none'), inCluster).kubernetes, { authType: 'none', ...nothing })
  })

  it('write an IPv6 address as a URL does, and know the usual name where none is given', () => {
    assert.equal(parse('', { KUBERNETES_SERVICE_HOST: 'fd00::1' }).kubernetes.server, 'https://[fd00::1]:443')
    const named = parse(settings('auth_type: serviceAccount')).kubernetes
    assert.equal(named.server, 'https://kubernetes.default.svc:443')
  })

  it('take the node’s name from the setting, then from the agent’s resource', () => {
    const resource = 'service: { telemetry: { resource: { k8s.node.name: node-8 } } }'
    assert.equal(parse(resource, inCluster).kubernetes.nodeName, 'node-8')
    assert.equal(parse(`${settings('node_name: node-9')}\n${resource}`, inCluster).kubernetes.nodeName, 'node-9')
  })

  it('find the kubeconfig where kubectl does', () => {
    const fileOf = (environment: Record<string, string>) =>
      parse(settings('auth_type: kubeConfig'), environment).kubernetes.kubeconfig
    assert.equal(fileOf({ HOME: '/somebody' }), '/somebody/.kube/config')
    assert.equal(fileOf({ HOME: '/somebody', KUBECONFIG: '/a' }), '/a')
    const { kubernetes, warnings } = parse(settings('auth_type: kubeConfig'), { KUBECONFIG: '/a:/b' })
    assert.equal(kubernetes.kubeconfig, '/a')
    assert.match(warnings.join(), /KUBECONFIG: only the first file is read, \/a/)
  })

  it('warn of what can’t have an effect', () => {
    const ignored = parse(settings('auth_type: serviceAccount, context: blue')).warnings
    assert.match(ignored.join(), /kubeconfig and context are ignored with auth_type serviceAccount/)
    const nameless = parse(settings('auth_type: serviceAccount, peers: none')).warnings
    assert.match(nameless.join(), /this node’s pods will not be known/)
  })

  it('are printed so that they read back as the same', () => {
    const text = settings(
      'auth_type: kubeConfig, kubeconfig: k, context: c, node_name: n, peers: none, labels: [app], annotations: [a/b]',
    )
    assert.deepEqual(parse(configText(parse(text))).kubernetes, parse(text).kubernetes)
  })

  const wrong: readonly [setting: string, at: string, what: string][] = [
    ['auth_type: token', 'token', "auth_type: 'token' is not allowed; allowed: serviceAccount, kubeConfig, none"],
    ['peers: everybody', 'everybody', "peers: 'everybody' is not allowed; allowed: watch, resolver, none"],
    ['node_name: "Node 1"', '"Node', "node_name: 'Node 1' is not allowed; allowed: the name of a node"],
    ['labels: [a b]', 'a b', "labels[0]: 'a b' is not allowed; allowed: the key of a label"],
    ['annotations: [a/b/c]', 'a/b/c', "annotations[0]: 'a/b/c' is not allowed; allowed: the key of an annotation"],
    ['label: [a]', 'label:', "label: unknown key (did you mean 'labels'?)"],
    [
      `labels: [${Array.from({ length: 65 }, (_, i) => `a${i}`)}]`,
      '[',
      'labels: a list is not allowed; allowed: at most',
    ],
  ]
  for (const [setting, at, what] of wrong)
    it(`are refused with their place: ${setting.slice(0, 20)}`, () => {
      const line = `  { ${setting} }`
      const [problem, ...more] = problemsOf(`receivers: { podweir: { kubernetes:\n${line} } }`)
      assert.equal(more.length, 0)
      const place = `a.yaml:2:${line.indexOf(at) + 1}: receivers.podweir.kubernetes.${what}`
      assert.equal(problem!.slice(0, place.length), place)
    })
})

function settings(kubernetes: string): string {
  return `receivers: { podweir: { kubernetes: { ${kubernetes} } } }`
}

function parse(text: string, environment: Record<string, string> = {}): Config {
  return parseConfig(text, 'a.yaml', environment)
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
