import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { questionSuffix } from '../../lib/aggregate/dns-suffix.ts'

describe('the suffix of a question', () => {
  const suffixes: Record<string, string> = {
    'api.stripe.example': 'stripe.example',
    'example.com': 'example.com',
    localhost: 'localhost',
    '': '.',
    'www.example.co.uk': 'example.co.uk',
    'co.uk': 'co.uk',
    'www.bit.ly': 'bit.ly',
    'cart.shop.svc.cluster.local': 'cart.shop.svc',
    'web-0.web.shop.svc.cluster.local': 'web.shop.svc',
    '_http._tcp.cart.shop.svc.cluster.local': 'cart.shop.svc',
    'svc.example.com': 'example.com',
    'a.b.svc': 'b.svc',
    '1.0.0.10.in-addr.arpa': 'in-addr.arpa',
    'a\\.b.c': 'other',
  }
  for (const [name, suffix] of Object.entries(suffixes))
    it(`is ${suffix} of ${name || 'the root'}`, () => assert.equal(questionSuffix(name), suffix))
})
