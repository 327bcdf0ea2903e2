// Who may ask a resolver, and whom it sends away.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import { ApiFailure } from '../../lib/kubernetes/api-failure.ts'
import { line } from '../../lib/resolver/messages.ts'
import { type Authority, pem, replaceFile } from '../support/certificates.ts'
import { clusterNode, clusterPod, HEARD_MS, ofDeployment } from '../support/cluster-objects.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { until } from '../support/until.ts'
import { type AskedResolver, HELLO, withAskedResolver } from './asked-resolver.ts'
import { TOKEN } from './served.ts'

describe('a resolver', () => {
  let asked: AskedResolver
  withAskedResolver(made => {
    asked = made
  })

  describe('answers', () => {
    it('an agent over TLS, and tells it of what changes', async () => {
      await asked.serve()
      asked.served.facts.changed('nodes', clusterNode({ name: 'n2', zone: 'a' }), HEARD_MS)
      const pod = clusterPod({ name: 'db-0', node: 'n2', addresses: ['10.2.0.13'], ...ofDeployment('db') })
      asked.served.facts.changed('pods', pod, Date.now() - 10_000)
      const made = asked.agent()
      await until(
        () => JSON.stringify(made.client.state),
        () => made.isServed,
      )
      const nameNow = async () => {
        await made.names.hear(flowBatch({ started: [{ remote: '10.2.0.13' }] }).started)
        return made.names.remote(0x0a02000d, Date.now() - 1_000)
      }
      const found = await nameNow()
      assert.deepEqual([found.workload?.name, found.place?.zone], ['db', 'a'])
      asked.served.facts.changed('pods', { ...pod, ...ofDeployment('other') }, Date.now())
      await until('another name', async () => (await nameNow()).workload?.name === 'other')
      assert.equal(asked.served.agents, 1)
      assert.equal(asked.served.subscriptions.count, 1)
    })

    it('how it is, to who may ask', async () => {
      await asked.serve()
      const headers = { ':method': 'GET', ':path': '/v1/status' }
      const { status, text } = await asked.say([], headers)
      assert.deepEqual([status, JSON.parse(text)], [200, { subscriptions: 0 }])
      assert.equal((await asked.say([], { ...headers, authorization: 'Bearer wrong' })).status, 401)
      assert.equal((await asked.say([], { ...headers, ':path': '/v2' })).status, 404)
      assert.equal((await asked.say([], { ':method': 'GET' })).status, 405)
    })
  })

  describe('lets ask', () => {
    it('who has a token of its list, and reads the list again', async () => {
      await asked.serve()
      for (const authorization of ['Bearer wrong', 'Basic x', '', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`])
        assert.equal((await asked.greet(HELLO, { authorization })).status, 401, authorization)
      assert.match(asked.served.log.messages.join(), /an agent at 127.0.0.1 is refused: 401: the token is not listed/)
    })

    it('who has a certificate of its authority, and no other', async () => {
      const clients = asked.secrets.newAuthority('clients')
      const tls = {
        ...asked.secrets.server,
        clientCaFile: clients.certFile,
        minVersion: '1.2',
        reloadMs: 60_000,
      } as const
      await asked.serve({ config: { tls } })
      const status = async (authority: Authority) => {
        const { certFile, keyFile } = authority.issue('agent')
        const over = asked.session({ cert: pem(certFile), key: pem(keyFile) })
        const headers = { ':method': 'GET', ':path': '/v1/status', authorization: '' }
        return (await asked.say([], headers, over)).status
      }
      assert.deepEqual([await status(clients), await status(asked.secrets.newAuthority('stranger'))], [200, 401])
      const { certFile, keyFile } = clients.issue('agent')
      const made = asked.agent({
        client: {
          tokenFile: undefined,
          tls: { caFile: asked.secrets.authority.certFile, certFile, keyFile, minVersion: '1.2' },
        } as never,
      })
      await until(
        () => JSON.stringify(made.client.state),
        () => made.isServed,
      )
    })

    it('whose token the API server knows, if it is one of those that may', async () => {
      const users: Record<string, string | Error> = {
        agent: 'system:serviceaccount:podweir-system:podweir',
        pod: 'system:serviceaccount:shop:web',
        away: new ApiFailure(0, 'ECONNREFUSED'),
        many: new ApiFailure(429, 'too many tokens to ask for'),
      }
      const userOf = async (token: string) => {
        const user = users[token]
        if (user instanceof Error) throw user
        return user
      }
      const tokenReview = { audience: 'x', serviceAccounts: ['podweir-system/podweir'] }
      await asked.serve({ reviews: { userOf }, config: { tokenReview } })
      const statuses: Record<string, number> = {}
      for (const token of ['pod', 'away', 'many', 'unknown'])
        statuses[token] = (await asked.greet(HELLO, { authorization: `Bearer ${token}` })).status
      assert.deepEqual(statuses, { pod: 403, away: 503, many: 429, unknown: 401 })
      writeFileSync(join(asked.secrets.folder, 'service-account'), 'agent')
      const made = asked.agent({ client: { tokenFile: join(asked.secrets.folder, 'service-account') } })
      await until(
        () => JSON.stringify(made.client.state),
        () => made.isServed,
      )
    })
  })

  describe('sends away', () => {
    it('who greets it in a way that it does not understand', async () => {
      await asked.serve()
      const statuses = await Promise.all([
        ...[{ ...HELLO, protocol: 2 }, {}, { protocol: 'x' }].map(hello => asked.greet(hello)),
        ...['\n{"mark":1}\n', 'nonsense\n', '{"hello":', '[]\n'].map(text => asked.say([text, '\n'])),
      ])
      assert.deepEqual(
        statuses.map(({ status }) => status),
        Array(7).fill(400),
      )
    })

    it('everybody as long as it does not know enough, and says for how long', async () => {
      await asked.serve()
      asked.served.notReady = 'pods are not known yet'
      const { status, retryAfter, text } = await asked.greet()
      assert.deepEqual([status, retryAfter, JSON.parse(text)], [503, '2', { message: 'pods are not known yet' }])
    })

    it('who knows more, and waits a moment for it', async () => {
      await asked.serve({ times: { behindMs: 300 } })
      asked.served.heard = { pods: '100', nodes: '7' }
      const { status, text } = await asked.greet({ ...HELLO, after: { pods: '101' } })
      assert.deepEqual(
        [status, JSON.parse(text).message],
        [503, 'less is known here of pods than another resolver has told'],
      )
      const waiting = asked.say([line({ hello: { ...HELLO, after: { pods: '101' } } }), line({ mark: 1 }), 'end\n'])
      setTimeout(() => {
        asked.served.heard = { pods: '101' }
      }, 100)
      assert.equal((await waiting).status, 200)
    })

    it('who needs a label that it does not keep', async () => {
      await asked.serve({ labels: ['app'] })
      const { status, text } = await asked.greet({ ...HELLO, labels: ['app', 'team'] })
      assert.equal(status, 409)
      assert.match(JSON.parse(text).message, /label team is not kept: add it to the resolver's receivers/)
    })

    it('whoever comes when enough are there', async () => {
      await asked.serve({ config: { maxAgents: 1 } })
      const made = asked.agent()
      await until('the first', () => made.isServed)
      const { status, retryAfter } = await asked.greet()
      assert.deepEqual([status, retryAfter], [503, '5'])
    })

    it('agents to other resolvers after a while, who come back at once', async () => {
      await asked.serve({ times: { ageMs: [200, 300] } })
      const made = asked.agent({ times: { backOff: { firstMs: 20, mostMs: 50 } } })
      await until('the third time', () => made.client.state.requests >= 3)
      await until('served', () => made.isServed)
    })

    it('who says nothing for too long', async () => {
      await asked.serve({ times: { silentMs: 100 } })
      const { status, text } = await asked.greet()
      assert.equal(status, 200)
      assert.match(text, /{"bye":"nothing was heard of you"}\n$/)
    })
  })

  it('shows a new certificate when it is renewed', async () => {
    const { certFile, keyFile } = asked.secrets.authority.issue('localhost')
    await asked.serve({ config: { tls: { certFile, keyFile, minVersion: '1.2', reloadMs: 50 } } })
    const serial = async () => {
      const over = asked.session()
      await new Promise(resolve => over.once('connect', resolve))
      const found = (over.socket as unknown as { getPeerCertificate(): { serialNumber: string } }).getPeerCertificate()
      over.destroy()
      return found.serialNumber
    }
    const before = await serial()
    const renewed = asked.secrets.authority.issue('localhost')
    replaceFile(keyFile, renewed.keyFile)
    replaceFile(certFile, renewed.certFile)
    await until('another one', async () => (await serial()) !== before)
    writeFileSync(certFile, 'nonsense')
    await until('the log', () =>
      asked.served.log.messages.some(each => /the certificates from before count/.test(each)),
    )
    assert.notEqual(await serial(), before)
  })
})
