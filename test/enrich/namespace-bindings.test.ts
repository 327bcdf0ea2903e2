import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import type { SurveyedNamespace } from '../../lib/capture/flow-source.ts'
import { NamespaceBindings } from '../../lib/enrich/namespace-bindings.ts'
import { namespaceOwners } from '../../lib/enrich/namespace-owners.ts'
import { inPod, namespace, OTHER_UID, OWN, UID } from './surveyed.ts'

let bindings: NamespaceBindings

/** What replaced another, and the owner of the namespace of inode 2. */
function look(namespaces: readonly SurveyedNamespace[], deletedIds: readonly number[] = []) {
  const { owners } = namespaceOwners(namespaces, OWN)
  const replaced = bindings.update(namespaces, owners, deletedIds, 1_000)
  const binding = [...bindings.values()].find(({ namespace: { inode } }) => inode === 2)
  return { replaced: [...replaced], owner: binding?.owner?.key, isShared: binding?.isShared, key: binding?.key }
}

const empty = namespace(2)
const mine = namespace(2, { residents: [inPod(UID, 5)] })
const others = namespace(2, { residents: [inPod(OTHER_UID, 9)] })
const both = namespace(2, { residents: [inPod(UID, 5), inPod(OTHER_UID, 9)] })

describe('a namespace’s binding', () => {
  beforeEach(() => {
    bindings = new NamespaceBindings()
  })

  it('comes with its first process, and makes nothing anew', () => {
    assert.equal(look([empty]).owner, undefined)
    assert.deepEqual(look([mine]), { replaced: [], owner: UID, isShared: false, key: '2.1' })
  })

  it('stays when the processes have ended', () => {
    look([mine])
    assert.equal(look([empty]).owner, UID)
  })

  it('ends with the namespace: one of the same inode and number is another', () => {
    look([mine])
    const next = look([{ ...empty, cookie: 777 }])
    assert.deepEqual([next.replaced, next.owner, next.key], [[2], undefined, '2.2'])
  })

  it('ends, without cookies, when the number was taken away or is another', () => {
    const plain = { ...mine, cookie: 0 }
    look([plain])
    assert.deepEqual(look([plain]).replaced, [])
    assert.deepEqual(look([{ ...empty, cookie: 0 }], [2]), {
      replaced: [2],
      owner: undefined,
      isShared: false,
      key: '2.2',
    })
    assert.deepEqual(look([{ ...empty, cookie: 0, id: 8 }]).replaced, [2])
  })

  it('stays, with cookies, whoever has its old number', () => {
    look([mine])
    assert.deepEqual(look([mine], [2]).replaced, [])
  })

  it('begins anew when another pod has moved in', () => {
    look([mine])
    const next = look([others])
    assert.deepEqual([next.replaced, next.owner], [[2], OTHER_UID])
  })

  it('is nobody’s for good when two pods were in it', () => {
    look([mine])
    const shared = look([both])
    assert.deepEqual([shared.replaced, shared.owner, shared.isShared], [[2], undefined, true])
    const later = look([mine])
    assert.deepEqual([later.replaced, later.owner, later.isShared], [[], undefined, true])
  })

  it('is gone with the namespace', () => {
    look([mine])
    look([])
    assert.deepEqual([...bindings.values()], [])
    assert.deepEqual(look([empty]).replaced, [])
  })
})
