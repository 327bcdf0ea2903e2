// Agents that ask in a way that nobody should: a resolver bounds what it keeps for them, and goes on with the others.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { line, PATH } from '../../lib/resolver/messages.ts'
import { clusterService, HEARD_MS, tcpPort } from '../support/cluster-objects.ts'
import { until } from '../support/until.ts'
import { type AskedResolver, HELLO, withAskedResolver } from './asked-resolver.ts'
import { TOKEN } from './served.ts'

describe('a resolver ends the conversation with who', () => {
  let asked: AskedResolver
  withAskedResolver(made => {
    asked = made
  })

  const many = (count: number, of: (i: number) => string) => Array.from({ length: count }, (_, i) => of(i))
  const asks = (from: number, count: number) =>
    line({ ask: Object.fromEntries(many(count, i => address(from + i)).map(key => [key, ''])) })
  const address = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
  for (const [what, lines, reason] of [
    ['says what can’t be understood', ['{"tell":1}\n'], 'it can’t be understood'],
    ['says hello twice', [line({ hello: HELLO })], 'it says hello twice'],
    ['asks for what is no key', [line({ ask: { 'http://x': '' } })], 'it can’t be understood'],
    ['asks for an address in another form', [line({ ask: { '010.0.0.1': '' } })], 'it can’t be understood'],
    ['asks for a lot in one line', [asks(0, 1_001)], 'it can’t be understood'],
    ['sends a line without an end', ['x'.repeat(300_000)], 'a line is too long'],
    ['marks without waiting', [many(40, i => line({ mark: i })).join('')], 'it marks without waiting for an answer'],
    ['asks for more than it may', many(67, i => asks(i * 1_000, 1_000)), 'it asks for too much'],
  ] as const)
    it(what, async () => {
      await asked.serve()
      asked.served.takesMs = 50
      const { status, text } = await asked.say([line({ hello: HELLO }), ...lines])
      assert.equal(status, 200)
      assert.ok(text.endsWith(`{"bye":"${reason}"}\n`), text.slice(-200))
      await until('nothing is kept of it', () => asked.served.subscriptions.count === 0)
    })

  it('does not read what it asked for, and goes on with the others', async () => {
    await asked.serve({ times: { blockedMs: 500 } })
    const serviceOf = (i: number, round: number) =>
      clusterService({
        ...{ name: `service-with-a-long-name-${i}`, uid: `u${i}`, addresses: [address(i)] },
        ports: Array.from({ length: 20 }, (_, port) => tcpPort(port + 100 * round + 1)),
      })
    for (let i = 0; i < 2_000; i++) asked.served.facts.changed('services', serviceOf(i, 0), HEARD_MS)
    const over = asked.session({ settings: { initialWindowSize: 1_000 } })
    const stream = over.request({ ':method': 'POST', ':path': PATH, authorization: `Bearer ${TOKEN}` })
    stream.on('error', () => {})
    stream.write(line({ hello: HELLO }))
    for (let i = 0; i < 2_000; i += 1_000) stream.write(asks(i, 1_000))
    const made = asked.agent()
    await until('the other one', () => made.isServed)
    const before = process.memoryUsage().rss
    // Each of what it asked for changes again and again.
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 2_000; i++) asked.served.facts.changed('services', serviceOf(i, round + 1), HEARD_MS)
      await sleep(10)
    }
    assert.ok(process.memoryUsage().rss - before < 100e6)
    await until('it is given up', () => asked.served.agents === 1)
    assert.equal(made.isServed, true)
  })
})
