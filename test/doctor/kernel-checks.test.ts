import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { profileOf } from '../../lib/capture/privileges.ts'
import { checkKernel, checkMemlock } from '../../lib/doctor/kernel-checks.ts'
import { checkRights } from '../../lib/doctor/rights-checks.ts'

describe('podweir doctor judges', () => {
  for (const [release, status] of [
    ['5.9.16', 'fail'],
    ['4.19.0-27-amd64', 'fail'],
    ['5.10.0-33-amd64', 'ok'],
    ['6.1.0', 'ok'],
    ['10.0.1', 'ok'],
  ] as const)
    it(`kernel ${release}: ${status}`, () => {
      assert.equal(checkKernel(release).find(({ code }) => code === 'PW-101')?.status, status)
    })

  it('locked memory only where maps are charged to it', () => {
    assert.match(checkMemlock('5.11.0').what, /this kernel charges maps to the cgroup$/)
    assert.doesNotMatch(checkMemlock('5.10.0').what, /charges maps to the cgroup/)
  })

  it('that restricted needs CAP_PERFMON on a kernel before 6.12, and standard does not', () => {
    const modules = { drops: false, dns: false, conntrack: false }
    const needs = (attach: 'host' | 'auto', kernel: string) =>
      profileOf({ attach, modules }, kernel).process.includes('CAP_PERFMON')
    assert.deepEqual(
      [needs('host', '6.1.0-56-amd64'), needs('host', '5.10.0'), needs('host', '6.12.1')],
      [true, true, false],
    )
    assert.equal(needs('auto', '5.10.0'), false)
  })

  it('that attach: host asks for nothing that restricted has not', () => {
    const settings = { attach: 'host', modules: { drops: false, dns: false, conntrack: false } } as const
    const { mode, findings } = checkRights(new Set(['CAP_BPF', 'CAP_NET_ADMIN']), settings)
    assert.deepEqual([mode, ...findings.map(({ status }) => status)], ['restricted', 'ok', 'ok'])
  })
})
