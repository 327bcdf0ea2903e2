// The cast of the demo: pods of three namespaces, one Service, and what lies outside the cluster.

export interface DemoPod {
  readonly namespace: string
  readonly name: string
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'CronJob'
  /** As the inventory file writes them: `8080/tcp`. */
  readonly ports: readonly string[]
}

export const NETNS_PREFIX = 'pwd-'
/** Its bridge joins the pods, as a node would; the machine's own network stays as it was. */
export const NODE_NETNS = `${NETNS_PREFIX}node`
export const BRIDGE = 'pw0'
export const POD_CIDRS = { v4: '10.250.0.0/24', v6: 'fd00:250::/64' } as const
export const SERVICE_CIDR = '10.250.1.0/24'

export const PODS: readonly DemoPod[] = [
  { namespace: 'shop', name: 'frontend', kind: 'Deployment', ports: ['8080/tcp', '9100/tcp'] },
  { namespace: 'shop', name: 'cart', kind: 'Deployment', ports: ['7070/tcp', '9100/tcp'] },
  { namespace: 'shop', name: 'checkout', kind: 'Deployment', ports: ['5050/tcp', '9100/tcp'] },
  { namespace: 'shop', name: 'redis', kind: 'StatefulSet', ports: ['6379/tcp'] },
  { namespace: 'shop', name: 'reports', kind: 'CronJob', ports: [] },
  { namespace: 'shop', name: 'fraud', kind: 'Deployment', ports: ['9000/tcp'] },
  { namespace: 'payments', name: 'payments', kind: 'Deployment', ports: ['50051/tcp', '9100/tcp'] },
  { namespace: 'payments', name: 'ledger', kind: 'StatefulSet', ports: ['5432/tcp'] },
  { namespace: 'kube-system', name: 'coredns', kind: 'Deployment', ports: ['53/udp', '9153/tcp'] },
  { namespace: 'kube-system', name: 'metrics', kind: 'Deployment', ports: [] },
]

/** Its address is a second one of the pod: there is no kube-proxy here to translate it. */
export const CHECKOUT_SERVICE = {
  namespace: 'shop',
  name: 'checkout',
  pod: 'checkout',
  address: '10.250.1.10',
  port: 5050,
}

/** One namespace stands for the world outside; it is no pod and nobody attaches to it. */
export const OUTSIDE = {
  name: 'stripe',
  mac: '02:50:57:00:00:fe',
  hosts: [
    { name: 'api.stripe.example', v4: '203.0.113.10', v6: '2001:db8:57::10' },
    { name: 'warehouse.example', v4: '198.51.100.20', v6: '2001:db8:57::20' },
  ],
} as const

export interface PodAddresses {
  readonly v4: string
  readonly v6: string
  readonly mac: string
  /** The other end of the pair, in the node's namespace. */
  readonly nodeDevice: string
}

export function podNetns(name: string): string {
  return NETNS_PREFIX + name
}

/** The same at every start. Throws on a name that is not in the cast. */
export function podAddresses(name: string): PodAddresses {
  const index = PODS.findIndex(pod => pod.name === name)
  if (index < 0) throw new RangeError(`the demo has no pod ${name}`)
  const number = index + 10
  return {
    v4: `10.250.0.${number}`,
    v6: `fd00:250::${number}`,
    mac: `02:50:57:00:00:${number.toString(16).padStart(2, '0')}`,
    nodeDevice: `pw-${name}`,
  }
}
