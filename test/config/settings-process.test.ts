import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'mocha'
import { loadConfig } from '../../lib/config/config.ts'
import { loadInventory } from '../../lib/config/inventory.ts'
import { loadConfigApart, loadInventoryApart } from '../../lib/config/settings-process.ts'
import { Failure } from '../../lib/host/failure.ts'

const of = (...files: string[]) => ({ files, set: [] })
const example = (name: string) => fileURLToPath(new URL(`../../otel-config/${name}`, import.meta.url))

describe('settings read in a process of their own', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-settings-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('are those that are read here', async () => {
    assert.deepEqual(await loadConfigApart(of(example('agent.yaml'))), loadConfig(of(example('agent.yaml'))).config)
    assert.deepEqual(await loadConfigApart(of()), loadConfig(of()).config)
    assert.deepEqual(await loadInventoryApart(example('inventory.yaml')), loadInventory(example('inventory.yaml')))
  })

  it('fail with the same words, places and exit code', async () => {
    const file = join(folder, 'wrong.yaml')
    writeFileSync(file, 'receivers: { podweir: { atach: pod, flow_limit: 1 } }\n')
    const here = failureOf(() => loadConfig(of(file)))
    const apart = await loadConfigApart(of(file)).catch(error => error as Failure)
    assert.ok(apart instanceof Failure)
    assert.equal(apart.message, here.message)
    assert.equal(apart.remedy, here.remedy)
    assert.equal(apart.exitCode, 2)
    assert.match(apart.message, /wrong\.yaml:1:25: receivers\.podweir\.atach: .*attach/)
  })

  it('fail alike where the file is missing', async () => {
    const missing = join(folder, 'none.yaml')
    const apart = await loadInventoryApart(missing).catch(error => error as Failure)
    assert.equal((apart as Failure).message, failureOf(() => loadInventory(missing)).message)
    assert.equal((apart as Failure).exitCode, 1)
  })
})

function failureOf(action: () => unknown): Failure {
  try {
    action()
  } catch (error) {
    return error as Failure
  }
  throw new Error('it did not fail')
}
