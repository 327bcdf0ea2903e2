// Lines from the network that nobody should send: what is made of them is bounded, valid text, and never an exception.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseAsking } from '../../lib/resolver/asking-parser.ts'
import { line, MOST } from '../../lib/resolver/messages.ts'
import { parseTelling } from '../../lib/resolver/telling-parser.ts'
import { Randomness } from '../support/randomness.ts'

const CLAIM = {
  ...{ uid: 'u', namespace: 'shop', name: 'web-1', node: 'n1', workload: { kind: 'Deployment', name: 'web' } },
  ...{ ports: ['tcp/8080'], ready: true, created: 1, seen: 2, left: 3, ended: 4, labels: { app: 'web' } },
}
const SERVED = { served: true, servedSince: 5 }
const SERVICE = {
  namespace: 'shop',
  name: 'api',
  ports: ['tcp/80'],
  workload: { ...CLAIM.workload, namespace: 'shop' },
  ...SERVED,
}
const ENDPOINT = { namespace: 'shop', name: 'api', ports: ['tcp/80'] }
const NODE = {
  uid: 'u',
  name: 'n',
  addresses: ['10.0.0.1', 'x'],
  podCidrs: ['10.1.0.0/24', '/'],
  zone: 'z',
  region: 'r',
}
const told = (answer: object, key = '10.0.0.1') => line({ told: { [key]: { tag: 't', ...answer } } })

const good = [
  line({ welcome: { protocol: 1, resolver: 'x' } }),
  line({ mark: 1, now: 2, behind: null, since: 0, heard: { pods: '7' }, changed: {}, lacks: { nodes: 'forbidden' } }),
  line({ nodes: { all: true, more: true, set: [NODE], gone: ['u'], tag: 't' } }),
  line({ nodePorts: { all: ['tcp/30080'], tag: 't' } }),
  told({ pods: [CLAIM], services: [SERVICE], endpoint: ENDPOINT }),
  told({ workload: CLAIM.workload, ports: ['tcp/1'] }, 'pod:u'),
  line({ bye: 'enough' }),
  line({ hello: { protocol: 1, node: 'n', labels: ['app'], after: { pods: '7' }, nodes: 't', nodePorts: 't' } }),
  line({ ask: { '10.0.0.1': '', 'port:tcp/30080': 't', 'pod:u': '' } }),
  line({ forget: ['10.0.0.1'] }),
  line({ mark: 7 }),
]

/** Another value in some place of a message. */
function spoilt(value: unknown, random: Randomness): unknown {
  const others = [
    null,
    true,
    -1,
    1e300,
    'x',
    '',
    '\ud800\0\x1b[31m',
    'y'.repeat(5_000),
    [],
    {},
    [[[]]],
    { __proto__: 1 },
  ]
  if (random.below(4) === 0) return others[random.below(others.length)]
  if (Array.isArray(value)) {
    const many = random.below(6) === 0 ? Array.from({ length: 2_000 }, () => value[0]) : value
    return many.map(each => (random.below(3) === 0 ? spoilt(each, random) : each))
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, random.below(2) === 0 ? spoilt(each, random) : each]),
  )
}

/** Texts of a message and how many there are of anything. */
function inspect(value: unknown): void {
  if (typeof value === 'string') {
    assert.ok(value.isWellFormed() && !/\p{Cc}/u.test(value), JSON.stringify(value))
    assert.ok(value.length <= 400, `${value.length}`)
  } else if (value instanceof Map) {
    assert.ok(value.size <= MOST.keysOfLine)
    for (const [key, each] of value) {
      inspect(key)
      inspect(each)
    }
  } else if (Array.isArray(value)) {
    assert.ok(value.length <= MOST.nodePorts)
    for (const each of value) inspect(each)
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      inspect(key)
      inspect(each)
    }
  }
}

describe('lines of agents and resolvers', () => {
  it('say what they are, to the one that they are for', () => {
    const telling = good.map(each => parseTelling(each) !== undefined)
    const asking = good.map(each => parseAsking(each) !== undefined)
    assert.deepEqual(telling, [...Array(7).fill(true), ...Array(4).fill(false)])
    assert.deepEqual(asking, [false, true, ...Array(5).fill(false), ...Array(4).fill(true)])
    const answer = parseTelling(good[4]!)
    assert.ok(answer && 'told' in answer)
    const { pods, services, endpoint } = answer.told.get('10.0.0.1')!
    assert.deepEqual([pods, services, endpoint], [[CLAIM], [SERVICE], ENDPOINT])
    const nodes = parseTelling(good[2]!)
    assert.ok(nodes && 'nodes' in nodes)
    assert.deepEqual(nodes.nodes.set, [{ ...NODE, addresses: ['10.0.0.1'], podCidrs: ['10.1.0.0/24'] }])
  })

  it('become messages within their bounds, or none, whatever is in them', function () {
    this.timeout(60_000)
    const random = new Randomness(7)
    let messages = 0
    for (let i = 0; i < 20_000; i++) {
      const text = good[random.below(good.length)]!
      const spoiltText = `${JSON.stringify(spoilt(JSON.parse(text), random))}\n`
      const cut = random.below(10) === 0 ? spoiltText.slice(0, random.below(spoiltText.length)) : spoiltText
      for (const message of [parseAsking(cut), parseTelling(cut)]) {
        if (message) messages++
        inspect(message)
      }
    }
    assert.ok(messages > 5_000, `${messages}`)
  })

  it('can’t ask for what is no address, port or pod', () => {
    for (const key of [
      '',
      'x',
      '10.0.0.256',
      '::ffff:10.0.0.1',
      'FD00::1',
      'fe80::1%eth0',
      'port:tcp/0',
      'port:x/1',
      'pod:',
      '__proto__',
    ])
      assert.equal(parseAsking(`{"ask":{${JSON.stringify(key)}:""}}`), undefined, key)
    for (const key of ['10.0.0.1', 'fd00::1', 'port:sctp/9', 'pod:x'])
      assert.notEqual(parseAsking(line({ ask: { [key]: '' } })), undefined, key)
  })

  it('tell of no more than there is room for', () => {
    const many = (count: number, each: object) => Array.from({ length: count }, () => each)
    const message = parseTelling(told({ pods: many(100, CLAIM), services: many(1_000, SERVICE) }))
    assert.ok(message && 'told' in message)
    const { pods, services } = message.told.get('10.0.0.1')!
    assert.deepEqual([pods!.length, services!.length], [MOST.claims, MOST.services])
    const nodes = parseTelling(line({ nodes: { set: many(10_000, NODE), tag: 't' } }))
    assert.ok(nodes && 'nodes' in nodes)
    assert.equal(nodes.nodes.set!.length, MOST.nodesOfLine)
  })
})
