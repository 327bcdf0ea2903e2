// Beside ids that the reference implementation gives (communityid 1.5, PyPI).
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { communityId, echoType, icmpPorts } from '../../lib/signals/community-id.ts'

const router = ['fe80::200:86ff:fe05:80da', 'fe80::260:97ff:fe07:69ea'] as const

describe('a community id', () => {
  for (const [what, protocol, source, sourcePort, destination, destinationPort, expected] of [
    ['TCP', 6, '128.232.110.120', 34855, '66.35.250.204', 80, '1:LQU9qZlK+B5F3KDmev6m5PMibrg='],
    ['TCP, the other way', 6, '66.35.250.204', 80, '128.232.110.120', 34855, '1:LQU9qZlK+B5F3KDmev6m5PMibrg='],
    ['TCP of an address with itself', 6, '10.0.0.1', 9, '10.0.0.1', 7, '1:yAMmDgGqTzZkcHlvcebDnAjHIEI='],
    ['TCP in IPv6', 6, 'fd00::2', 443, 'fd00::1', 50000, '1:z/ATyGmD+YQrwGbVf1gtIqBS9+I='],
    ['UDP', 17, '192.168.1.52', 54585, '8.8.8.8', 53, '1:d/FP5EW3wiY1vCndhwleRRKHowQ='],
    ['SCTP', 132, '192.168.170.8', 7, '192.168.170.56', 80, '1:jQgCxbku+pNGw8WPbEc/TS/uTpQ='],
    ['a protocol without ports', 47, '10.0.0.1', 0, '10.0.0.2', 0, '1:+KlEHDT0vJgzs/eNmzHq0aSpRYw='],
  ] as const)
    it(`of ${what} is the one that others give`, () => {
      const addresses = { sourceAddress: source, destinationAddress: destination }
      assert.equal(communityId({ protocol, ...addresses, sourcePort, destinationPort }), expected)
    })

  for (const [what, protocol, source, destination, type, code, expected] of [
    ['an echo', 1, '192.168.0.89', '192.168.0.1', 8, 0, '1:X0snYXpgwiv9TZtqg64sgzUn6Dk='],
    ['an answer to it', 1, '192.168.0.1', '192.168.0.89', 0, 0, '1:X0snYXpgwiv9TZtqg64sgzUn6Dk='],
    ['a message without answer', 1, '192.168.0.89', '192.168.0.1', 3, 1, '1:LXCfhMUFbYXe+CEMrQuZCbiLY3o='],
    ['a neighbour solicitation', 58, router[0], router[1], 135, 0, '1:dGHyGvjMfljg6Bppwm3bg0LO8TY='],
    ['an echo in IPv6', 58, router[0], 'ff02::1', 128, 0, '1:z1x+Y6w9HHX2FFt6QZet8vXnahE='],
  ] as const)
    it(`of ICMP, ${what}, is the one that others give`, () => {
      const [sourcePort, destinationPort] = icmpPorts(protocol, type, code)
      const addresses = { sourceAddress: source, destinationAddress: destination }
      assert.equal(communityId({ protocol, ...addresses, sourcePort, destinationPort }), expected)
    })

  it('of an echo begins with the request', () => {
    assert.deepEqual([echoType(1), echoType(58)], [8, 128])
  })
})
