// Where the server is and who we are: from a pod's service account, and from kubeconfig files as people have them.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { KubernetesConfig } from '../../lib/config/kubernetes.ts'
import { Failure } from '../../lib/host/failure.ts'
import { type ClusterAccess, openAccess } from '../../lib/kubernetes/cluster-access.ts'

describe('access to the API server', () => {
  let folder = ''
  let nowMs = 0
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-access-'))
    nowMs = 0
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function write(name: string, text: string): string {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  function config(given: Partial<KubernetesConfig>): KubernetesConfig {
    return { authType: 'kubeConfig', peers: 'watch', labels: [], annotations: [], ...given }
  }

  async function fromFile(text: string, context?: string): Promise<ClusterAccess> {
    const given = { kubeconfig: write('kubeconfig', text), ...(context !== undefined && { context }) }
    return (await openAccess(config(given), clock))!
  }

  async function refused(attempt: Promise<unknown>): Promise<string> {
    const error = await attempt.then(
      () => assert.fail('it was not refused'),
      each => each as unknown,
    )
    assert.ok(error instanceof Failure, String(error))
    return error.message
  }

  it('is none where nobody is to be asked', async () => {
    assert.equal(await openAccess(config({ authType: 'none' }), clock), undefined)
  })

  describe('by a service account', () => {
    it('reads its token again each minute, and at once when it was refused', async () => {
      write('token', 'one\n')
      write('ca.crt', 'authority')
      const server = 'https://10.96.0.1:443'
      const access = (await openAccess(config({ authType: 'serviceAccount', server }), clock, folder))!
      assert.equal(access.server.origin, 'https://10.96.0.1')
      assert.deepEqual(await access.tls(), { ca: 'authority' })
      assert.equal(await access.authorization(false), 'Bearer one')
      write('token', 'two')
      assert.equal(await access.authorization(false), 'Bearer one')
      assert.equal(await access.authorization(true), 'Bearer two')
      write('token', 'three')
      nowMs = 60_001
      assert.equal(await access.authorization(false), 'Bearer three')
    })

    it('names the file that is missing', async () => {
      const server = 'https://10.96.0.1:443'
      const access = (await openAccess(config({ authType: 'serviceAccount', server }), clock, folder))!
      assert.match(
        await refused(access.authorization(false)),
        /read credentials .*\/token: ENOENT; let the agent read it/,
      )
      assert.match(await refused(access.tls()), /ca\.crt: ENOENT/)
    })
  })

  describe('by a kubeconfig', () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64')

    it('takes the current context or the one that was asked for, YAML or JSON, paths from its own folder', async () => {
      const text = `
current-context: one
contexts:
- { name: one, context: { cluster: c1, user: u1 } }
- { name: two, context: { cluster: c2, user: u2 } }
clusters:
- name: c1
  cluster: { server: "https://one.example:6443", certificate-authority: ca.pem, tls-server-name: other.example }
- { name: c2, cluster: { server: "https://two.example", insecure-skip-tls-verify: true } }
users:
- name: u1
  user: { client-certificate: cert.pem, client-key: key.pem }
- { name: u2, user: { token: abc } }
`
      mkdirSync(join(folder, 'x'))
      for (const name of ['ca', 'cert', 'key']) write(`${name}.pem`, name)
      const one = await fromFile(text)
      assert.equal(one.server.href, 'https://one.example:6443/')
      const tls = { ca: 'ca', cert: 'cert', key: 'key', servername: 'other.example', rejectUnauthorized: true }
      assert.deepEqual(await one.tls(), tls)
      assert.equal(await one.authorization(false), undefined)
      const two = await fromFile(text, 'two')
      assert.deepEqual(await two.tls(), { rejectUnauthorized: false })
      assert.equal(await two.authorization(false), 'Bearer abc')
    })

    function kubeconfig(user: object, cluster: object = {}): string {
      return JSON.stringify({
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
        clusters: [{ name: 'x', cluster: { server: 'https://x.example', ...cluster } }],
        users: [{ name: 'x', user }],
      })
    }

    it('takes what is in the file itself before what it points to', async () => {
      const data = { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') }
      const ca = { 'certificate-authority-data': base64('ca'), 'certificate-authority': 'nowhere' }
      const access = await fromFile(kubeconfig({ ...data, 'client-key': 'nowhere' }, ca))
      assert.deepEqual(await access.tls(), { ca: 'ca', cert: 'cert', key: 'key', rejectUnauthorized: true })
    })

    it('reads a token’s file, and a user’s name and password', async () => {
      write('token', 'abc\n')
      assert.equal(await (await fromFile(kubeconfig({ tokenFile: 'token' }))).authorization(false), 'Bearer abc')
      const named = await fromFile(kubeconfig({ username: 'me', password: 'pass' }))
      assert.equal(await named.authorization(false), `Basic ${base64('me:pass')}`)
    })

    it('asks a program who we are, again when that was refused', async () => {
      const log = join(folder, 'log')
      const credential = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$(wc -l <"$LOG")'"}}`
      const script = `echo "$KUBERNETES_EXEC_INFO" >>"$LOG"; printf '%s' '${credential}'`
      const exec = {
        ...{ apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] },
        env: [{ name: 'LOG', value: log }],
      }
      const access = await fromFile(kubeconfig({ exec }))
      assert.equal(await access.authorization(false), 'Bearer 1')
      assert.equal(await access.authorization(false), 'Bearer 1')
      assert.equal(await access.authorization(true), 'Bearer 2')
      const failing = await fromFile(kubeconfig({ exec: { ...exec, args: ['-c', 'echo not today >&2; exit 1'] } }))
      const message = await refused(failing.authorization(false))
      assert.match(message, /ask for credentials .*context x: .*not today.*; see whether kubectl works with it/s)
    })

    it('asks a provider of identities through the official client', async function () {
      this.timeout(30_000)
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const token = `${part({ alg: 'none' })}.${part({ exp: 4_000_000_000 })}.x`
      const provider = { 'auth-provider': { name: 'oidc', config: { 'id-token': token, 'client-id': 'x' } } }
      const access = await fromFile(kubeconfig(provider))
      assert.equal(await access.authorization(false), `Bearer ${token}`)
    })

    const wrong: readonly [text: string, message: RegExp][] = [
      ['{', /read kubeconfig .*: .*; correct the file/],
      ['{}', /it has no current context; set receivers\.podweir\.kubernetes\.context/],
      ['{"current-context":"x","contexts":7}', /contexts has no 'x'/],
      [kubeconfig({}).replace('"clusters":[{"name":"x"', '"clusters":[{"name":"y"'), /clusters has no 'x'/],
      [kubeconfig({}, { server: 'x.example' }), /'x\.example' is no server; write https:\/\/HOST:PORT/],
      [kubeconfig({}, { 'proxy-url': 'http://p' }), /'proxy-url' is not supported; use a context without it/],
      [kubeconfig({ as: 'somebody' }), /'as' is not supported/],
    ]
    for (const [text, message] of wrong)
      it(`refuses ${text.slice(0, 40)}`, async () => {
        assert.match(await refused(fromFile(text)), message)
      })

    it('names a file that can’t be read', async () => {
      const given = config({ kubeconfig: join(folder, 'none') })
      assert.match(await refused(openAccess(given, clock)), /none: ENOENT/)
    })
  })
})
