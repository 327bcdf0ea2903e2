import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'mocha'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** 7 to 20 MB of memory that is needed for a moment: settings are read in a process of their own. */
const heavy = ['zod', 'yaml']

/** Of a file that the verb agent loads: packages it imports, and files. Types vanish. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/^(?:import|export) (?!type\b)([^;]*?) from '([^']+)'/gms)]
    .filter(([, names]) => !isOfTypes(names!))
    .map(([, , target]) => target!)
}

function isOfTypes(names: string): boolean {
  const each = names
    .replace(/[{}]/g, '')
    .split(',')
    .map(name => name.trim())
    .filter(Boolean)
  return each.every(name => name.startsWith('type '))
}

describe('the verb agent', () => {
  it('loads neither the YAML parser nor the schema library', () => {
    const seen = new Set<string>()
    const waiting = [join(root, 'lib/cli/agent.ts')]
    const found: string[] = []
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (seen.has(file)) continue
      seen.add(file)
      for (const target of importsOf(file)) {
        if (target.startsWith('.')) waiting.push(join(dirname(file), target))
        else if (heavy.includes(target)) found.push(`${file.slice(root.length)} imports ${target}`)
      }
    }
    assert.ok(seen.size > 100, `${seen.size} files seen`)
    assert.deepEqual(found, [])
  })
})
