import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { problemsOf } from '../../lib/signals/flow-problems.ts'
import type { FlowRecord, TcpRecord } from '../../lib/signals/flow-record.ts'
import { flowRecord, tcpRecord, tcpSide } from '../support/flow-records.ts'

function problems(tcp: Partial<TcpRecord>, parts: Partial<FlowRecord> = {}): string[] {
  return problemsOf(flowRecord({ tcp: tcpRecord(tcp), requestPackets: 1000, responsePackets: 1000, ...parts }))
}

describe('problems of a flow', () => {
  for (const [state, problem] of [
    ['refused', 'refused'],
    ['timeout', 'no reply'],
    ['unreachable', 'unreachable'],
    ['reset', 'reset'],
    ['reset_by_client', 'reset'],
    ['reset_by_server', 'reset'],
  ] as const)
    it(`are that it was ${state}`, () => assert.deepEqual(problems({ state }), [problem]))

  it('are none while an attempt to connect is not decided, and of an ordinary end', () => {
    for (const state of ['connecting', 'established', 'midstream', 'closing', 'closed'] as const)
      assert.deepEqual(problems({ state }, { responsePackets: 0 }), [], state)
  })

  it('are none while SYNs are sent again, as long as one may be answered', () => {
    assert.deepEqual(problems({ state: 'connecting', request: tcpSide({ retransmitPackets: 9 }) }), [])
  })

  it('are none of an attempt that was answered after all', () => {
    assert.deepEqual(problems({}, { failed: 'timeout' }), [])
  })

  it('are a closed window, of either side', () => {
    assert.deepEqual(problems({ request: tcpSide({ zeroWindowEvents: 1 }) }), ['zero window'])
    assert.deepEqual(problems({ response: tcpSide({ zeroWindowEvents: 1 }) }), ['zero window'])
  })

  it('are retransmits and packets out of order from one in a hundred on, of the side that has more of them', () => {
    const sides = { request: tcpSide({ retransmitPackets: 9 }), response: tcpSide({ outOfOrderPackets: 9 }) }
    assert.deepEqual(problems(sides), [])
    assert.deepEqual(problems({ request: tcpSide({ retransmitPackets: 10 }) }), ['retransmits 1.0%'])
    assert.deepEqual(problems({ request: tcpSide({ outOfOrderPackets: 10 }) }), ['out of order'])
    const both = { request: tcpSide({ retransmitPackets: 10 }), response: tcpSide({ retransmitPackets: 21 }) }
    assert.deepEqual(problems(both), ['retransmits 2.1%'])
    assert.deepEqual(problems(both, { responsePackets: 100 }), ['retransmits 21%'])
    assert.deepEqual(problems({ request: both.request }, { responsePackets: 0 }), ['retransmits 1.0%'])
  })

  it('come with the most telling first', () => {
    const request = tcpSide({ retransmitPackets: 50, outOfOrderPackets: 50, zeroWindowEvents: 2 })
    const expected = ['reset', 'zero window', 'retransmits 5.0%', 'out of order']
    assert.deepEqual(problems({ state: 'reset_by_server', request }), expected)
    assert.deepEqual(problems({ state: 'refused', request }), ['refused'])
  })

  it('of a datagram are that an ICMP error said so', () => {
    const dns = flowRecord({ transport: 'udp', responsePackets: 0 })
    assert.deepEqual(problemsOf(dns), [])
    assert.deepEqual(problemsOf({ ...dns, failed: 'unreachable' }), ['unreachable'])
  })

  it('of an echo request are that nobody answered', () => {
    const echo = flowRecord({ transport: 'icmp', responsePackets: 0 })
    assert.deepEqual(problemsOf(echo), ['no reply'])
    assert.deepEqual(problemsOf({ ...echo, failed: 'unreachable' }), ['unreachable'])
    assert.deepEqual(problemsOf({ ...echo, responsePackets: 1 }), [])
    assert.deepEqual(problemsOf({ ...echo, confidence: 'first_packet' }), [])
  })
})
