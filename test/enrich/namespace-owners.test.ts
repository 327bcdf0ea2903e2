import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { SurveyedNamespace } from '../../lib/capture/flow-source.ts'
import { namespaceOwners } from '../../lib/enrich/namespace-owners.ts'
import { CONTAINER, inContainer, inPod, inService, namespace, OTHER_UID, OWN, UID } from './surveyed.ts'

const OTHER_CONTAINER = 'fedcba9876543210'.repeat(4)

function ownersIn(inode: number, ...namespaces: SurveyedNamespace[]): string[] {
  return (namespaceOwners(namespaces, OWN).owners.get(inode) ?? []).map(({ key }) => key)
}

describe('namespaceOwners', () => {
  it('is the pod of the processes, however many containers it has there', () => {
    const sidecar = { ...inPod(UID, 9), cgroup: `0::/kubepods/pod${UID}/${OTHER_CONTAINER}\n` }
    assert.deepEqual(ownersIn(2, namespace(2, { residents: [inPod(UID, 5), sidecar, inService(7)] })), [UID])
  })

  it('is nobody while there is no process of a pod or container', () => {
    assert.deepEqual(ownersIn(2, namespace(2, { residents: [inService(5)] })), [])
  })

  it('is both pods when both are at home there', () => {
    const residents = [inPod(UID, 5), inPod(OTHER_UID, 6)]
    assert.deepEqual(ownersIn(2, namespace(2, { residents })), [UID, OTHER_UID])
  })

  it('is not the pod that only looks into it, even when nobody else is there', () => {
    const host = namespace(OWN.namespaceInode, { path: '', residents: [inPod(OTHER_UID, 3)] })
    assert.deepEqual(ownersIn(2, host, namespace(2, { residents: [inPod(OTHER_UID, 8)] })), [])
    assert.deepEqual(ownersIn(2, host, namespace(2, { residents: [inPod(UID, 7), inPod(OTHER_UID, 8)] })), [UID])
  })

  it('is not the pod that has made it inside of itself', () => {
    const nested = namespace(3, { residents: [inPod(UID, 8)] })
    assert.deepEqual(ownersIn(3, nested, namespace(2, { residents: [inPod(UID, 5)] })), [])
  })

  it('tells processes of the same tick by their numbers', () => {
    const [first, second] = [
      namespace(2, { residents: [inPod(UID, 5, 70)] }),
      namespace(3, { residents: [inPod(UID, 5, 71)] }),
    ]
    assert.deepEqual([ownersIn(2, second, first), ownersIn(3, second, first)], [[UID], []])
  })

  it('is the oldest of containers that share it, and a pod before any container', () => {
    const residents = [inContainer(CONTAINER, 5), inContainer(OTHER_CONTAINER, 4)]
    assert.deepEqual(ownersIn(2, namespace(2, { residents })), [OTHER_CONTAINER])
    assert.deepEqual(ownersIn(2, namespace(2, { residents: [...residents, inPod(UID, 9)] })), [UID])
  })

  it('is not the container that the agent itself is in', () => {
    const own = { ...OWN, cgroup: `0::/docker/${CONTAINER}` }
    const { owners } = namespaceOwners([namespace(2, { residents: [inContainer(CONTAINER, 5)] })], own)
    assert.equal(owners.size, 0)
  })

  it('recognises pods of the host network', () => {
    const host = namespace(OWN.namespaceInode, { path: '', residents: [inPod(UID, 3), inContainer(CONTAINER, 4)] })
    const { owners, hostNetworkPods } = namespaceOwners([host], OWN)
    assert.deepEqual([[...owners], [...hostNetworkPods]], [[], [UID]])
  })
})
