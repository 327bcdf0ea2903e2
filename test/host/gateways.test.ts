import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { gateways, nodeGateways } from '../../lib/host/gateways.ts'

const IPV4 = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0101A8C0	0003	0	0	100	00000000	0	0	0
flannel.1	0002F40A	0002F40A	0003	0	0	0	00FFFFFF	0	0	0
eth0	0001A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
`
const IPV6 = `00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0
fd000001000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 cni0
`

describe('gateways', () => {
  it('are the next hops of all routes, each once', () => {
    assert.deepEqual(gateways(IPV4 + IPV4, IPV6), ['192.168.1.1', '10.244.2.0', 'fe80::1'])
  })

  it('are none where the kernel lists nothing, or what is no route', () => {
    assert.deepEqual(gateways('', 'garbage\n'), [])
    for (const address of nodeGateways()) assert.match(address, /^[0-9a-f.:]+$/)
  })
})
