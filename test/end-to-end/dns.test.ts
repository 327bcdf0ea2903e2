// Names that pods learn from a real DNS server, on edges as a Collector gets them; and how long their lookups took.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import { type CollectedAgent, withCollectedAgent } from '../support/collected-agent.ts'
import type { OtlpAttribute } from '../support/collector.ts'
import { DnsServer, hasDnsmasq } from '../support/dns-server.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const FLOW_PACKETS = 'podweir.network.flow.packets'
const DURATION = 'podweir.dns.lookup.duration'
const MESSAGES = 'podweir.dns.messages'
const BLOCK = '203.0.113.0/24'
const API = '203.0.113.7'
const BLOCK6 = '2001:db8::/32'
const ONLY6 = '2001:db8::7'
const CDN = '203.0.113.8'
const LIAR = '203.0.113.53'
const SPOOFED = ['203.0.113.61', '203.0.113.62', '203.0.113.63', '203.0.113.64'] as const
const PORT = 9000
const RECORDS = [
  `host-record=api.stripe.example,${API}`,
  `host-record=edge.cdn.example,${CDN}`,
  'cname=www.shop.example,edge.cdn.example',
  `host-record=only6.example,${ONLY6}`,
  'address=/missing.example/',
  'address=/refused.example/#',
  // Too much for a datagram: the client asks again by TCP.
  ...Array.from({ length: 60 }, (_, i) => `host-record=many.example,203.0.113.${100 + i}`),
]

/** Asks as programs do, by c-ares, and prints an address or an error's code for each name. */
const CLIENT = `
const { Resolver } = require('node:dns').promises
const [server, timeout, ...names] = process.argv.slice(1)
const resolver = new Resolver({ timeout: Number(timeout), tries: 1 })
resolver.setServers([server])
const ask = name => (name.endsWith('6.example') ? resolver.resolve6(name) : resolver.resolve4(name))
;(async () => {
  const answers = []
  for (const name of names) answers.push(await ask(name).then(found => found.length + ' ' + found.sort()[0], error => error.code))
  console.log(JSON.stringify(answers))
})()`

/** Answers every query with what was not asked for: another id, another question, from another port, to nobody's query. */
const LIES = `
const { createSocket } = require('node:dgram')
const [liar, ...spoofed] = process.argv.slice(1)
const socket = createSocket('udp4')
const other = createSocket('udp4')
const answer = (query, address, change) => {
  const message = Buffer.concat([query, Buffer.from('c00c00010001000000ff0004', 'hex'), Buffer.from(address.split('.').map(Number))])
  message.writeUInt16BE(0x8180, 2)
  message.writeUInt16BE(1, 6)
  message.writeUInt16BE(0, 10)
  change(message)
  return message
}
socket.on('message', (query, { address, port }) => {
  // What the client adds of EDNS is behind the question.
  const question = query.subarray(0, query.indexOf(0, 12) + 5)
  const lies = [
    answer(question, spoofed[0], message => message.writeUInt16BE(message.readUInt16BE(0) ^ 1, 0)),
    answer(question, spoofed[1], message => { message[13] ^= 3 }),
    answer(question, spoofed[2], message => { message.writeUInt16BE(28, question.length - 4) }),
  ]
  for (const lie of lies) socket.send(lie, port, address)
  other.send(answer(question, spoofed[3], () => {}), port, address)
})
other.bind(53, spoofed[3], () => socket.bind(53, liar, () => console.log('ready')))`

describe('names from DNS at a Collector', function () {
  this.timeout(60_000)
  let namespaces: Namespaces
  let a: TestNamespace
  let b: TestNamespace
  let made: CollectedAgent
  let server: DnsServer
  let liar: ChildProcess | undefined

  before(function () {
    if (!hasDnsmasq()) skip(this, 'needs dnsmasq (the package dnsmasq-base)')
  })
  withCollectedAgent(each => {
    made = each
  })
  beforeEach(async () => {
    namespaces = new Namespaces()
    ;({ a, b } = await namespaces.createPair({ ipv6: true }))
    await b.ip(...[API, CDN, LIAR, ...SPOOFED].map(address => `address add ${address}/32 dev eth0`))
    await b.ip(`address add ${ONLY6}/128 dev eth0 nodad`)
    await a.ip(`route add ${BLOCK} via ${b.addresses.v4}`, `route add ${BLOCK6} via ${b.addresses.v6}`)
    server = await DnsServer.start(b, [b.addresses.v4, b.addresses.v6], RECORDS)
    await b.serve('udp-serve', '--port', PORT)
  })
  afterEach(async () => {
    liar?.kill('SIGKILL')
    await server?.stop()
    await namespaces?.remove()
  })

  const start = (modules: Record<string, string> = { dns: 'on' }) =>
    made.start({ pods: [{ name: 'a', namespace: a }], receiver: { modules } })

  async function lookUp(names: readonly string[], from = b.addresses.v4, timeoutMs = 2000): Promise<string[]> {
    return JSON.parse(await a.run(process.execPath, '-e', CLIENT, from, String(timeoutMs), ...names)) as string[]
  }

  const send = (to: string, count: number) => a.traffic('udp-send', '--to', to, '--port', PORT, '--count', count)

  const sentTo = (name: string) =>
    made.collector.sums(FLOW_PACKETS, {
      'destination.name': name,
      'server.port': String(PORT),
      'podweir.flow.direction': 'request',
    })

  const messages = (outcome: string) =>
    Number(made.collector.sums(MESSAGES, { 'podweir.dns.message.outcome': outcome }))

  async function messagesUntil(outcome: string, count: number): Promise<void> {
    await until(
      () => `${count} of ${outcome}: ${messages(outcome)}`,
      () => messages(outcome) >= count,
    )
  }

  /** Samples of the newest point of each series, by its attributes. */
  function lookups(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { resourceMetrics } of made.collector.requests())
      for (const { scopeMetrics } of resourceMetrics)
        for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
          if (metric.name !== DURATION) continue
          const { histogram } = metric as {
            histogram?: { dataPoints: { attributes: OtlpAttribute[]; count: string }[] }
          }
          for (const { attributes, count } of histogram!.dataPoints) {
            const of = (key: string) => attributes.find(each => each.key === key)?.value.stringValue
            const owner = of('source.k8s.owner.name')
            counts[`${owner} ${of('podweir.dns.question.suffix')} ${of('error.type') ?? 'answered'}`] = Number(count)
          }
        }
    return counts
  }

  it('are on the edges of flows that follow, aliases’ too', async () => {
    await start()
    assert.deepEqual(await lookUp(['api.stripe.example', 'www.shop.example']), [`1 ${API}`, `1 ${CDN}`])
    await send(API, 30)
    await send(CDN, 20)
    await until('both edges', () => sentTo('api.stripe.example') === 30n && sentTo('www.shop.example') === 20n)
    await made.agent.stop()
    await made.collector.stop()
    assert.deepEqual(['api.stripe.example', 'www.shop.example', 'external'].map(sentTo), [30n, 20n, 0n])
  })

  it('are learnt and used over IPv6', async () => {
    await start()
    const server6 = `[${b.addresses.v6}]:53`
    assert.deepEqual(await lookUp(['only6.example'], server6), [`1 ${ONLY6}`])
    await send(ONLY6, 30)
    await until('its edge', () => sentTo('only6.example') === 30n)
  })

  it('are not there unless asked for', async () => {
    await start({})
    await lookUp(['api.stripe.example'])
    await send(API, 30)
    await made.agent.stop()
    await made.collector.stop()
    assert.equal(sentTo('api.stripe.example'), 0n)
    assert.deepEqual([made.collector.points(MESSAGES), lookups()], [[], {}])
  })

  it('are not learnt from answers to nobody’s query', async () => {
    await start()
    liar = spawn('nsenter', [`--net=${b.path}`, process.execPath, '-e', LIES, LIAR, ...SPOOFED], { stdio: 'pipe' })
    await once(liar.stdout!, 'data')
    const [found] = await lookUp(['bank.example'], LIAR, 500)
    assert.equal(found, 'ETIMEOUT')
    for (const address of SPOOFED) await send(address, 10)
    await until('its edge', () => sentTo('external') + sentTo('unknown') === 40n)
    assert.equal(sentTo('bank.example'), 0n)
    assert.deepEqual([messages('answer_unsolicited'), messages('answer')], [4, 0])
  })

  it('have their lookups timed, as many as the server was asked for', async () => {
    await start()
    const asked = await lookUp(['api.stripe.example', 'only6.example', 'missing.example', 'nowhere.example'])
    assert.deepEqual(asked, [`1 ${API}`, `1 ${ONLY6}`, 'ENOTFOUND', 'EREFUSED'])
    await lookUp(['api.stripe.example'])
    await messagesUntil('answer', server.queries)
    assert.equal(messages('query'), server.queries)
    assert.equal(server.asked('api.stripe.example'), 2)
    assert.deepEqual(lookups(), {
      'a stripe.example answered': 2,
      'a only6.example answered': 1,
      'a missing.example NXDOMAIN': 1,
      'a nowhere.example REFUSED': 1,
    })
  })

  it('come by TCP too, where a datagram is too small', async () => {
    await start()
    const [found] = await lookUp(['many.example'])
    assert.equal(found, '60 203.0.113.100')
    await b.ip('address add 203.0.113.100/32 dev eth0')
    await send('203.0.113.100', 10)
    await until('its edge', () => sentTo('many.example') === 10n)
    assert.equal(messages('lost'), 0)
  })

  it('have lookups that nobody answers', async () => {
    await start()
    assert.deepEqual(await lookUp(['api.stripe.example'], '203.0.113.99', 500), ['ETIMEOUT'])
    await until('a timeout', () => lookups()['a stripe.example timeout'] === 1)
    assert.deepEqual([messages('query'), messages('answer')], [1, 0])
  })

  it('are learnt after a flood, and each message of it is read or counted as lost', async () => {
    await start()
    await a.traffic('udp-send', '--to', LIAR, '--port', 53, '--count', 20_000, '--rate', 0)
    // What comes while the ring is full is lost as well, and counted.
    await until('the flood is over', () => messages('not_read') + messages('lost') === 20_000)
    await lookUp(['api.stripe.example'])
    await send(API, 10)
    await until('its edge', () => sentTo('api.stripe.example') === 10n)
    assert.equal(messages('not_read') + messages('lost'), 20_000)
    assert.ok(messages('lost') > 1000, `${messages('lost')}`)
  })
})
