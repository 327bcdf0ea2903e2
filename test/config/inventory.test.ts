import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'mocha'
import { loadInventory, parseInventory } from '../../lib/config/inventory.ts'
import { WrongSettings } from '../../lib/config/problems.ts'

describe('inventory', () => {
  it('reads pods, services and CIDRs', () => {
    const { revision, ...inventory } = parseInventory(
      `pods:
  - namespace: shop
    name: web-1
    uid: u1
    node: n1
    interfaces: [{ netns: web-1 }, { netns: /var/run/netns/x/../y, device: "eth[0-9]" }, { device: "veth-*" }]
    addresses: [10.0.0.1, "2001:DB8:0::1", "::ffff:192.0.2.7"]
    ports: [8080, 53/udp, "9/sctp"]
    workload: { kind: Deployment, name: web }
    labels: { app: web, "example.com/tier": "" }
services:
  - { namespace: shop, name: web, addresses: [10.96.0.1], ports: [{ port: 80, target: 8080 }, { port: 53, protocol: udp }], workload: { kind: Deployment, name: web } }
cidrs:
  - { name: office, cidr: "2001:DB8:0:0::/32", class: external }
`,
      'inv.yaml',
    )
    assert.match(revision, /^[0-9a-f]{64}$/)
    assert.deepEqual(inventory, {
      file: 'inv.yaml',
      pods: [
        {
          namespace: 'shop',
          name: 'web-1',
          uid: 'u1',
          node: 'n1',
          interfaces: [
            { netns: '/run/netns/web-1', place: 'inv.yaml:6:18' },
            { netns: '/run/netns/y', device: 'eth[0-9]', place: 'inv.yaml:6:36' },
            { device: 'veth-*', place: 'inv.yaml:6:90' },
          ],
          addresses: ['10.0.0.1', '2001:db8::1', '192.0.2.7'],
          ports: ['tcp/8080', 'udp/53', 'sctp/9'],
          workload: { kind: 'Deployment', name: 'web' },
          labels: { app: 'web', 'example.com/tier': '' },
        },
      ],
      services: [
        {
          namespace: 'shop',
          name: 'web',
          addresses: ['10.96.0.1'],
          ports: [
            { port: 80, target: 8080, protocol: 'tcp' },
            { port: 53, target: 53, protocol: 'udp' },
          ],
          workload: { kind: 'Deployment', name: 'web' },
        },
      ],
      cidrs: [{ name: 'office', cidr: '2001:db8::/32', class: 'external' }],
    })
  })

  it('takes a pod without a workload for its own', () => {
    const { pods } = parseInventory('pods: [{ namespace: a, name: b }]', 'i')
    assert.deepEqual(pods[0]?.workload, { kind: 'Pod', name: 'b' })
  })

  it('tells every wrong value with its place', () => {
    const text = `pods:
  - namespace: a
    name: x
    interfaces: [{ netns: x, device: "eth[0" }, {}, { device: abcdefghijklmnopq }, { netns: a/b }]
    addresses: [10.0.0.300, fe80::1%eth0, 7]
    ports: [70000, 80/icmp, [1]]
    workload: { kind: Deployment }
    lables: {}
services:
  - { namespace: a, ports: [{ port: 80, protocol: TCP }] }
cidrs:
  - { name: n, cidr: 10.0.0.1/8, class: pods }
  - { name: n, cidr: 10.0.0.0/33, class: pod }
`
    const device = 'a device name of at most 15 characters, with * ? [a-z] [!a-z]'
    const address = 'an IPv4 or IPv6 address without a prefix length or zone'
    const port = '1 to 65535, alone or with /tcp, /udp, /sctp'
    const name = 'text without spaces around it and without control characters'
    const cidr = 'ADDRESS/LENGTH, such as 10.0.0.0/8 or 2001:db8::/32, with all bits beyond the length 0'
    assert.deepEqual(problems(text), [
      `i.yaml:4:38: pods[0].interfaces[0].device: 'eth[0' is not allowed; allowed: ${device}`,
      'i.yaml:4:49: pods[0].interfaces[1]: an empty mapping is not allowed; allowed: netns, device, or both',
      `i.yaml:4:63: pods[0].interfaces[2].device: 'abcdefghijklmnopq' is not allowed; allowed: ${device}`,
      "i.yaml:4:93: pods[0].interfaces[3].netns: 'a/b' is not allowed; allowed: the name of a network namespace under /run/netns, or an absolute path",
      `i.yaml:5:17: pods[0].addresses[0]: '10.0.0.300' is not allowed; allowed: ${address}`,
      `i.yaml:5:29: pods[0].addresses[1]: 'fe80::1%eth0' is not allowed; allowed: ${address}`,
      `i.yaml:5:43: pods[0].addresses[2]: 7 is not allowed; allowed: ${address}`,
      `i.yaml:6:13: pods[0].ports[0]: 70000 is not allowed; allowed: ${port}`,
      `i.yaml:6:20: pods[0].ports[1]: '80/icmp' is not allowed; allowed: ${port}`,
      `i.yaml:6:29: pods[0].ports[2]: a list is not allowed; allowed: ${port}`,
      `i.yaml:7:15: pods[0].workload.name: is missing; allowed: ${name}`,
      "i.yaml:8:5: pods[0].lables: unknown key (did you mean 'labels'?); allowed: namespace, name, uid, node, created, interfaces, addresses, ports, workload, labels",
      `i.yaml:10:5: services[0].name: is missing; allowed: ${name}`,
      "i.yaml:10:51: services[0].ports[0].protocol: 'TCP' is not allowed (did you mean 'tcp'?); allowed: tcp, udp, sctp",
      `i.yaml:12:22: cidrs[0].cidr: '10.0.0.1/8' is not allowed; allowed: ${cidr}`,
      "i.yaml:12:41: cidrs[0].class: 'pods' is not allowed (did you mean 'pod'?); allowed: external, node, pod",
      `i.yaml:13:22: cidrs[1].cidr: '10.0.0.0/33' is not allowed; allowed: ${cidr}`,
    ])
  })

  it('tells what has two owners', () => {
    const text = `pods:
  - { namespace: a, name: x, interfaces: [{ netns: y, device: eth0 }, { device: "veth-*" }], addresses: [1.2.3.4] }
  - { namespace: a, name: z, interfaces: [{ netns: /var/run/netns/y }, { device: veth-a }], addresses: ["::ffff:1.2.3.4"] }
  - { namespace: a, name: z }
services:
  - { namespace: a, name: s, addresses: [1.2.3.4] }
cidrs:
  - { name: n, cidr: "fd00::/8", class: pod }
  - { name: m, cidr: "FD00:0::/8", class: node }
`
    assert.deepEqual(problems(text), [
      'i.yaml:3:43: pods[1].interfaces[0]: is an interface of a/x too; allowed: one owner for each interface',
      'i.yaml:3:72: pods[1].interfaces[1]: is an interface of a/x too; allowed: one owner for each interface',
      'i.yaml:3:105: pods[1].addresses[0]: 1.2.3.4 belongs to pod a/x too; allowed: one owner for each address',
      'i.yaml:4:27: pods[2].name: a/z is here twice; allowed: each name once a namespace',
      'i.yaml:6:42: services[0].addresses[0]: 1.2.3.4 belongs to pod a/z too; allowed: one owner for each address',
      'i.yaml:9:22: cidrs[1].cidr: fd00::/8 belongs to n too; allowed: one owner for each CIDR',
    ])
  })

  it('lets pods of two nodes have devices of the same name', () => {
    const pod = (name: string) => `{ namespace: a, name: ${name}, node: ${name}, interfaces: [{ device: veth0 }] }`
    assert.equal(parseInventory(`pods: [${pod('x')}, ${pod('y')}]`, 'i').pods.length, 2)
  })

  it('refuses an empty file, which may be one that is being written', () => {
    assert.deepEqual(problems('# nothing\n'), [
      'i.yaml:1:1: is empty; allowed: pods, services, cidrs; for none, pods: []',
    ])
    assert.deepEqual(parseInventory('pods: []', 'i').pods, [])
  })

  it('ends with exit code 1 when the file cannot be read', () => {
    assert.throws(() => loadInventory('/nonexistent/inventory.yaml'), {
      exitCode: 1,
      message: /no such file or directory/,
    })
  })
})

describe('otel-config/inventory.yaml', () => {
  it('is a valid inventory', () => {
    const { pods, services, cidrs } = loadInventory(
      fileURLToPath(new URL('../../otel-config/inventory.yaml', import.meta.url)),
    )
    assert.deepEqual([pods.length, services.length, cidrs.length], [4, 1, 4])
  })
})

function problems(text: string): readonly string[] {
  try {
    parseInventory(text, 'i.yaml')
  } catch (error) {
    assert.ok(error instanceof WrongSettings)
    assert.equal(error.exitCode, 2)
    return error.problems
  }
  assert.fail('no problem found')
}
