// Who is who in the demo, in the format of the inventory file that plain hosts use.
import { stringify } from 'yaml'
import { CHECKOUT_SERVICE, type DemoPod, OUTSIDE, POD_CIDRS, PODS, podAddresses, podNetns } from './pods.ts'
import { POD_DEVICE } from './topology.ts'

function describePod(pod: DemoPod) {
  const { v4, v6 } = podAddresses(pod.name)
  return {
    namespace: pod.namespace,
    name: pod.name,
    interfaces: [{ netns: `/run/netns/${podNetns(pod.name)}`, device: POD_DEVICE }],
    addresses: [v4, v6],
    ports: [...pod.ports],
    workload: { kind: pod.kind, name: pod.name },
    node: 'demo',
  }
}

function describeService() {
  const pod = PODS.find(each => each.name === CHECKOUT_SERVICE.pod)!
  return {
    namespace: CHECKOUT_SERVICE.namespace,
    name: CHECKOUT_SERVICE.name,
    addresses: [CHECKOUT_SERVICE.address],
    ports: [{ port: CHECKOUT_SERVICE.port, protocol: 'tcp' }],
    workload: { kind: pod.kind, name: pod.name },
  }
}

function describeCidrs() {
  return [
    { name: 'pods', cidr: POD_CIDRS.v4, class: 'pod' },
    { name: 'pods', cidr: POD_CIDRS.v6, class: 'pod' },
    ...OUTSIDE.hosts.flatMap(host => [
      { name: host.name, cidr: `${host.v4}/32`, class: 'external' },
      { name: host.name, cidr: `${host.v6}/128`, class: 'external' },
    ]),
    { name: 'multicast', cidr: '224.0.0.0/4', class: 'node' },
    { name: 'multicast', cidr: 'ff00::/8', class: 'node' },
    // What a device without a link-local address writes as source of its multicast reports.
    { name: 'unspecified', cidr: '::/128', class: 'node' },
  ]
}

export function demoInventory() {
  return { pods: PODS.map(describePod), services: [describeService()], cidrs: describeCidrs() }
}

export function demoInventoryYaml(): string {
  return stringify(demoInventory())
}
