// Resolvers that fail in every way: agents ask seldom, never end, and go on as soon as one works.
import assert from 'node:assert/strict'
import type { ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { systemClock } from '../../lib/host/clock.ts'
import { line, MOST, PROTOCOL } from '../../lib/resolver/messages.ts'
import { RESOLVER_CONNECTION_TIMES } from '../../lib/resolver/resolver-access.ts'
import { RESOLVER_TIMES, type ResolverTimes } from '../../lib/resolver/resolver-client.ts'
import { pem } from '../support/certificates.ts'
import { flowBatch } from '../support/flow-batch.ts'
import { show } from '../support/show.ts'
import { until } from '../support/until.ts'
import { answer, markOf, onLines, PretendResolver, wellBehaved } from './pretend-resolver.ts'
import { ServedAgent, TestSecrets } from './served.ts'

/** A minute of the agent's is 0.6 s here. */
const FASTER = 100
const MINUTE_MS = 60_000 / FASTER
/** In the first minute: 500 ms, doubling to 30 s, each at random below that. Afterwards: one in 15 s, on average. */
const FIRST_MINUTE_LIMIT = 14
const LATER_MINUTE_LIMIT = 10

const TIMES: Partial<ResolverTimes> = {
  backOff: { firstMs: RESOLVER_TIMES.backOff.firstMs / FASTER, mostMs: RESOLVER_TIMES.backOff.mostMs / FASTER },
  livedMs: RESOLVER_TIMES.livedMs / FASTER,
  silentMs: RESOLVER_TIMES.silentMs / FASTER,
  markEveryMs: RESOLVER_TIMES.markEveryMs / FASTER,
  reasonMs: RESOLVER_TIMES.reasonMs / FASTER,
}

const begun = (stream: ServerHttp2Stream, ...texts: string[]) => {
  stream.respond({ ':status': 200 })
  for (const text of texts) stream.write(text)
}
const status =
  (code: number, message = 'no') =>
  (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': code })
    stream.end(JSON.stringify({ message }))
  }
const WELCOME = line({ welcome: { protocol: PROTOCOL, resolver: 'x' } })

const ways: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  'resets every stream': stream => stream.close(2),
  'closes every connection after the head': stream => {
    begun(stream)
    setImmediate(() => stream.session?.destroy())
  },
  'ends every answer at once': stream => begun(stream) ?? stream.end(),
  'says goodbye at once': stream => begun(stream, WELCOME, line({ bye: 'no' })),
  'answers 400': status(400),
  'answers 401': status(401),
  'answers 403': status(403),
  'answers 404': status(404),
  'answers 409': status(409),
  'answers 429': status(429),
  'answers 500': status(500),
  'answers 503': status(503),
  'answers half an error': stream => {
    stream.respond({ ':status': 500 })
    stream.write('{"mess')
  },
  'never answers': () => {},
  'says nothing after the head': stream => begun(stream),
  'says nothing after its welcome': stream => begun(stream, WELCOME),
  'stops to answer marks': stream => {
    begun(stream, WELCOME)
    let answers = 0
    onLines(stream, text => ++answers < 5 && answer(stream, text))
  },
  'sends garbage': stream => begun(stream, '\0\x01\xff<html>\n[[[}}}\n'),
  'sends JSON that is none of a resolver’s': stream => begun(stream, WELCOME, '[1,2,3]\n'),
  'sends half a line': stream => begun(stream, WELCOME.slice(0, 20)) ?? stream.end(),
  'sends a line that is too long': stream => begun(stream, WELCOME, 'x'.repeat(MOST.answerLineBytes + 1)),
  'speaks before its welcome': stream => begun(stream, line(markOf(0))),
  'speaks another protocol': stream => begun(stream, line({ welcome: { protocol: 9, resolver: 'x' } })),
  'answers what was not asked': stream => begun(stream, WELCOME, line(markOf(77))),
}

describe('an agent of a resolver', () => {
  let secrets: TestSecrets
  let resolver: PretendResolver
  let agent: ServedAgent

  before(() => {
    secrets = new TestSecrets()
  })
  after(() => secrets.remove())
  afterEach(async () => {
    await agent.close()
    await resolver.stop()
  })

  async function start(given = PretendResolver.start(secrets.server)): Promise<void> {
    resolver = await given
    const connectionTimes = { answerLimitMs: RESOLVER_CONNECTION_TIMES.answerLimitMs / FASTER }
    agent = new ServedAgent({ secrets, port: resolver.port, times: TIMES, connectionTimes })
  }

  /** Two minutes of it, then one that works. */
  async function seldom(context: Mocha.Context, mend: () => void): Promise<void> {
    const beginMs = systemClock.monotonicMs()
    const waits: number[] = []
    while (systemClock.monotonicMs() - beginMs < 2 * MINUTE_MS) {
      const askedMs = systemClock.monotonicMs()
      await agent.names.hear(flowBatch({ started: [{ remote: '10.2.0.13' }] }).started)
      waits.push(systemClock.monotonicMs() - askedMs)
      await sleep(MINUTE_MS / 60)
    }
    const perMinute = [0, 1].map(minute => {
      const fromMs = beginMs + minute * MINUTE_MS
      return resolver.connectedAtMs.filter(atMs => atMs >= fromMs && atMs < fromMs + MINUTE_MS).length
    })
    const longestMs = Math.max(...waits)
    show(
      context,
      `${perMinute[0]} and ${perMinute[1]} connections a minute, a drain waits ${longestMs.toFixed(0)} ms at most`,
    )
    assert.ok(perMinute[0]! <= FIRST_MINUTE_LIMIT, `${perMinute[0]}`)
    assert.ok(perMinute[1]! <= LATER_MINUTE_LIMIT, `${perMinute[1]}`)
    assert.ok(perMinute[0]! + perMinute[1]! >= 1)
    mend()
    await until(
      () => JSON.stringify(agent.client.state),
      () => agent.isServed,
      { limitMs: 5 * MINUTE_MS },
    )
    assert.equal(
      agent.log.messages.filter(each => /until then/.test(each)).length <= 3,
      true,
      agent.log.messages.join('\n'),
    )
  }

  describe('that', function () {
    this.timeout(20_000)
    for (const [way, behave] of Object.entries(ways))
      it(`${way} is asked seldom, and asked everything as soon as it works`, async function () {
        await start()
        resolver.behave = behave
        await seldom(this, () => {
          resolver.behave = wellBehaved
        })
      })

    it('closes every connection is asked seldom, and asked everything as soon as it works', async function () {
      await start()
      resolver.refuses = (socket: Socket) => {
        socket.destroy()
        return true
      }
      await seldom(this, () => {
        resolver.refuses = () => false
      })
    })

    for (const [what, certificate, reason] of [
      ['has expired', () => secrets.authority.issue('localhost', -1), /certificate has expired/],
      ['is another one’s', () => secrets.authority.issue('other.example'), /does not match|not in the cert's altnames/],
      ['is a stranger’s', () => secrets.newAuthority('stranger').issue('localhost'), /unable to|self.signed/],
    ] as const)
      it(`shows a certificate that ${what} is asked seldom, and asked everything as soon as it has another`, async function () {
        await start(PretendResolver.start(certificate()))
        await until('the reason', () => reason.test(agent.client.state.degraded?.reason ?? ''))
        assert.match(
          agent.log.messages.join(),
          /^resolver: https:\/\/localhost:\d+: .*; until then addresses .*; trying again$/,
        )
        await seldom(this, () => resolver.show(secrets.server))
      })
  })

  it('that speaks no HTTP/2 says so', async () => {
    await start()
    const { certFile, keyFile } = secrets.server
    const old = createServer({ cert: pem(certFile), key: pem(keyFile) })
    await new Promise<void>(resolve => old.listen(0, '127.0.0.1', resolve))
    const other = new ServedAgent({ secrets, port: (old.address() as AddressInfo).port, times: TIMES })
    try {
      await until(
        () => JSON.stringify(other.client.state),
        () => other.client.state.degraded?.reason === 'it speaks no HTTP/2',
      )
    } finally {
      await other.close()
      old.close()
    }
  })

  it('that is slow is not waited for by the next drain, and believed when it has answered', async () => {
    await start()
    agent.told.mark = () => agent.client.mark()
    resolver.behave = stream => {
      begun(stream, WELCOME)
      onLines(stream, text => setTimeout(() => answer(stream, text), 40))
    }
    await until('served', () => agent.isServed)
    const started = flowBatch({ started: [{ remote: '10.2.0.13' }] }).started
    const took: number[] = []
    for (let i = 0; i < 5; i++) {
      const askedMs = systemClock.monotonicMs()
      await agent.names.hear(started)
      took.push(systemClock.monotonicMs() - askedMs)
    }
    assert.ok(Math.max(...took) < RESOLVER_TIMES.waitMs, took.join())
    assert.ok(agent.told.heardUntilMs > systemClock.nowMs() - 1_000)
  })
})
