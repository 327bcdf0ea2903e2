import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseEndpoint } from '../../lib/export/otlp-endpoint.ts'

describe('an OTLP endpoint', () => {
  const read: [string, boolean, string, boolean][] = [
    ['http://collector:4317', false, 'collector:4317', false],
    ['https://collector:4317', true, 'collector:4317', true],
    ['collector:4317', false, 'collector:4317', true],
    ['collector:4317', true, 'collector:4317', false],
    ['http://[::1]:5555/', false, '[::1]:5555', false],
    ['https://collector:443', false, 'collector:443', true],
    ['http://collector:80', false, 'collector:80', false],
  ]
  for (const [text, insecure, address, secure] of read) {
    it(`${text}${insecure ? ' with tls.insecure' : ''} is ${address} ${secure ? 'by TLS' : 'in plain'}`, () => {
      assert.deepEqual(parseEndpoint(text, insecure), { address, secure })
    })
  }

  it('without a port is at 4317, not at gRPC’s 443', () => {
    assert.equal(parseEndpoint('http://collector', false).address, 'collector:4317')
    assert.equal(parseEndpoint('https://collector', false).address, 'collector:4317')
    assert.equal(parseEndpoint('collector', false).address, 'collector:4317')
  })

  for (const text of [
    '',
    'http://',
    'ftp://collector:4317',
    'collector:0',
    'collector:70000',
    'http://a:1/v1/metrics',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseEndpoint(text, false), { name: 'Failure', exitCode: 2, subject: text })
    })
  }
})
