import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { codes } from '../../lib/doctor/codes.ts'

const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8')

describe('docs/troubleshooting.md', () => {
  it('has a row for each code of podweir doctor, in order, and no other', () => {
    const rows = [...page.matchAll(/^\| `(PW-\d+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$/gm)]
    assert.deepEqual(
      rows.map(([, code, what]) => [code, what]),
      Object.entries(codes),
    )
  })
})
