// The classes of docs/classes.md are those of flow.h and of the drain's columns, and the corpus has each of them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { OTHER_CLASSES, PACKET_CLASSES, packetClasses } from '../../lib/capture/flow-batch.ts'
import { writtenCases } from './corpus.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

/** Names and numbers of `enum packet_class`. */
function classesOfKernel(): Map<string, number> {
  const [, body] = /enum packet_class \{(.*?)\};/s.exec(read('ebpf/flow.h'))!
  const entries = [...body!.matchAll(/^\s*CLASS_(\w+) =\s*(\d+)/gm)]
  return new Map(entries.map(([, name, number]) => [name!.toLowerCase(), Number(number)]))
}

/** What docs/classes.md says where a class counts. */
function classesOfDocs(): Map<string, string> {
  const rows = [...read('docs/classes.md').matchAll(/^\| `(\w+)` \|.*\| (.*?) \|$/gm)]
  return new Map(rows.map(([, name, place]) => [name!, place!]))
}

describe('the classes of packets', () => {
  it('have one name and one number everywhere', () => {
    assert.deepEqual(
      [...classesOfKernel()],
      [...packetClasses.entries()].map(([number, name]) => [name, number]),
    )
    assert.equal(classesOfKernel().size, PACKET_CLASSES)
    assert.deepEqual([...classesOfDocs().keys()].toSorted(), [...packetClasses].toSorted())
  })

  it('are said to count where they do', () => {
    for (const [name, place] of classesOfDocs())
      assert.equal(
        place === '`other`',
        packetClasses.indexOf(name as (typeof packetClasses)[number]) < OTHER_CLASSES,
        name,
      )
  })

  it('are all in the corpus', () => {
    const written = new Set(writtenCases().map(({ class: name }) => name))
    assert.deepEqual([...written].toSorted(), [...packetClasses].toSorted())
  })
})
