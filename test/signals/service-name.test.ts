import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { serviceNameOf } from '../../lib/signals/service-name.ts'

const workload = { namespace: 'shop', kind: 'Deployment', name: 'web' }
const annotation = { 'resource.opentelemetry.io/service.name': 'said' }
const instance = { 'app.kubernetes.io/instance': 'instance' }
const name = { 'app.kubernetes.io/name': 'name' }

describe('service.name', () => {
  for (const [what, pod, expected] of [
    ['the annotation, before all others', { annotations: annotation, labels: { ...name, ...instance } }, 'said'],
    ['the label of the instance', { labels: { ...name, ...instance } }, 'instance'],
    ['the label of the name', { labels: name }, 'name'],
    ['the owner', {}, 'web'],
    ['the owner, where labels are empty', { labels: { 'app.kubernetes.io/name': ' ' }, annotations: {} }, 'web'],
    ['the pod, where it has no owner', { workload: { ...workload, kind: 'Pod', name: 'web-1' } }, 'web-1'],
    ['the pod, where the owner has no name', { workload: { ...workload, name: '' } }, 'web-1'],
  ] as const)
    it(`is that of ${what}`, () => {
      assert.equal(serviceNameOf({ name: 'web-1', workload, ...pod }), expected)
    })
})
