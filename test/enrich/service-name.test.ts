import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Workload } from '../../lib/aggregate/identity.ts'
import { parseAddressKey } from '../../lib/capture/address.ts'
import { ServiceNames, saidServiceName } from '../../lib/enrich/service-name.ts'
import { clusterPod, HEARD_MS, ofDeployment } from '../support/cluster-objects.ts'
import { namesOf } from './two-nodes.ts'

const annotation = { 'resource.opentelemetry.io/service.name': 'said' }
const instance = { 'app.kubernetes.io/instance': 'instance' }
const name = { 'app.kubernetes.io/name': 'name' }

describe('service.name', () => {
  for (const [what, labels, annotations, expected] of [
    ['the annotation, before all others', { ...name, ...instance }, annotation, 'said'],
    ['the label of the instance', { ...name, ...instance }, {}, 'instance'],
    ['the label of the name', name, {}, 'name'],
    ['nobody, where nothing is said', {}, {}, undefined],
    ['nobody, where labels are empty', { 'app.kubernetes.io/name': ' ' }, {}, undefined],
  ] as const)
    it(`is that of ${what}`, () => {
      assert.equal(saidServiceName(labels, annotations), expected)
    })

  const web: Workload = { namespace: 'shop', kind: 'Deployment', name: 'web' }

  it('of a workload is what its pods said last, for whoever asks with another object', () => {
    const names = new ServiceNames()
    names.learn(web, 'first')
    names.learn({ ...web }, 'second')
    assert.equal(names.of({ ...web }), 'second')
    names.learn(web, undefined)
    assert.equal(names.of(web), undefined)
  })

  it('of a workload that is gone is forgotten', () => {
    const names = new ServiceNames()
    const other = { ...web, name: 'other' }
    names.learn(web, 'a')
    names.learn(other, 'b')
    names.sweep(new Set([{ ...other }]))
    assert.deepEqual([names.of(web), names.of(other)], [undefined, 'b'])
  })

  it('of pods of a cluster goes with their workload, which a Service has too, and changes with them', () => {
    const names = namesOf()
    const podOf = (name: string, labels: Record<string, string>, annotations = {}) =>
      clusterPod({ name, addresses: ['10.1.0.50'], labels, annotations, ...ofDeployment('web') })
    names.changed('pods', podOf('web-8', instance), HEARD_MS)
    const { workload } = names.remote(parseAddressKey('10.1.0.50')!, HEARD_MS)
    assert.equal(names.serviceName(workload!), 'instance')
    names.changed('pods', podOf('web-9', instance, annotation), HEARD_MS)
    assert.equal(names.serviceName(workload!), 'said')
    names.changed('pods', podOf('web-9', {}), HEARD_MS)
    assert.equal(names.serviceName(workload!), undefined)
  })
})
