// Objects of a cluster that nobody runs: nodes, pods and Services as the API server takes them.

export function namespaceOf(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
}

/** Its pods have addresses of 10.244.`block`.0/24. */
export function nodeOf(name: string, block: number, zone: string) {
  const labels = { 'topology.kubernetes.io/zone': zone }
  const status = { addresses: [{ type: 'InternalIP', address: `192.0.2.${10 + block}` }] }
  return {
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } },
    ...{ spec: { podCIDR: `10.244.${block}.0/24` }, status },
  }
}

/** `shop/WORKLOAD-NAME`, of a ReplicaSet of a Deployment `WORKLOAD`, unless it has other owners. */
export function replicaOf(workload: string, name: string, node: string, owners?: readonly object[]) {
  const hash = '5d4'
  const replicaSet = {
    ...{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${workload}-${hash}`, uid: `u-${workload}` },
    controller: true,
  }
  const containers = [{ name: 'x', image: 'x', ports: [{ containerPort: 8080 }] }]
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: {
      ...{ name: `${workload}-${name}`, namespace: 'shop', ownerReferences: owners ?? [replicaSet] },
      labels: { app: workload, 'pod-template-hash': hash },
    },
    spec: {
      ...{ nodeName: node, automountServiceAccountToken: false, containers },
      tolerations: [{ operator: 'Exists' }],
    },
  }
}

export function statusOf(ip: string) {
  const conditions = [{ type: 'Ready', status: 'True' }]
  return { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions }
}

/** Its pods are those of a workload, by default that of its name. */
export function serviceOf(name: string, clusterIP: string, nodePort?: number, workload = name) {
  const port = { port: 80, targetPort: 8080, ...(nodePort !== undefined && { nodePort }) }
  return {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' } },
    spec: {
      ...{ type: nodePort === undefined ? 'ClusterIP' : 'NodePort', selector: { app: workload } },
      ...{ clusterIP, ports: [port] },
    },
  }
}
