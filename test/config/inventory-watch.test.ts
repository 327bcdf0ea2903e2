import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { loadInventory } from '../../lib/config/inventory.ts'
import { type InventoryWatch, watchInventory } from '../../lib/config/inventory-watch.ts'

const one = 'pods: [{ namespace: a, name: one }]\n'
const two = 'pods: [{ namespace: a, name: two }]\n'

describe('watchInventory', () => {
  let directory: string
  let file: string
  let watch: InventoryWatch | undefined
  /** Names of the only pod of each inventory, and messages of bad ones. */
  let told: string[]

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'podweir-inventory-'))
    file = join(directory, 'inventory.yaml')
    told = []
  })

  afterEach(() => {
    watch?.close()
    rmSync(directory, { recursive: true })
  })

  /** Waits until the first look is over, so that what follows is noticed as a change. */
  const start = async (loaded = loadInventory(file)) => {
    watch = watchInventory(
      file,
      inventory => told.push(inventory.pods[0]!.name),
      failure => told.push(failure.message),
      loaded,
    )
    await sleep(200)
  }

  it('tells of a file that is rewritten in place, also at the same length', async () => {
    writeFileSync(file, one)
    await start()
    writeFileSync(file, two)
    await until(() => told.length > 0)
    assert.deepEqual(told, ['two'])
  })

  it('tells of a file that is renamed over it', async () => {
    writeFileSync(file, one)
    await start()
    writeFileSync(`${file}.new`, two)
    renameSync(`${file}.new`, file)
    await until(() => told.length > 0)
    assert.deepEqual(told, ['two'])
  })

  it("tells of Kubernetes' swap of the ..data link, again and again", async () => {
    for (const [version, text] of [
      ['1', one],
      ['2', two],
      ['3', one],
    ] as const) {
      mkdirSync(join(directory, version))
      writeFileSync(join(directory, version, 'inventory.yaml'), text)
    }
    symlinkSync('1', join(directory, '..data'))
    symlinkSync('..data/inventory.yaml', file)
    await start()
    for (const [swaps, version] of [
      [1, '2'],
      [2, '3'],
    ] as const) {
      symlinkSync(version, join(directory, '..data_tmp'))
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
      rmSync(join(directory, String(Number(version) - 1)), { recursive: true })
      await until(() => told.length >= swaps)
    }
    assert.deepEqual(told, ['two', 'one'])
  })

  it('tells of changes behind a link, also behind one that was turned elsewhere', async () => {
    const targets = ['left', 'right'].map(name => join(directory, name, 'target.yaml'))
    for (const target of targets) {
      mkdirSync(dirname(target))
      writeFileSync(target, one)
    }
    symlinkSync(targets[0]!, file)
    await start()
    writeFileSync(targets[0]!, two)
    await until(() => told.length > 0)
    rmSync(file)
    symlinkSync(targets[1]!, file)
    await until(() => told.length > 1)
    writeFileSync(targets[1]!, two)
    await until(() => told.length > 2)
    assert.deepEqual(told, ['two', 'one', 'two'])
  })

  it('tells of a bad file once and keeps the old inventory until there is a good one', async () => {
    writeFileSync(file, one)
    await start()
    writeFileSync(file, 'pods: [{ name: x }]\n')
    await until(() => told.length > 0)
    rmSync(file)
    await until(() => told.length > 1)
    writeFileSync(file, one)
    await sleep(300)
    assert.equal(told.length, 2, 'what is in use came back')
    writeFileSync(file, two)
    await until(() => told.length > 2)
    assert.match(told[0]!, /inventory\.yaml:1:8: pods\[0\]\.namespace: is missing/)
    assert.match(told[1]!, /no such file or directory/)
    assert.equal(told[2], 'two')
  })

  it('tells of a change between the reading and the watching', async () => {
    writeFileSync(file, one)
    const loaded = loadInventory(file)
    writeFileSync(file, two)
    await start(loaded)
    await until(() => told.length > 0)
    assert.deepEqual(told, ['two'])
  })

  it('says nothing of other files, a new time, or after it is closed', async () => {
    writeFileSync(file, one)
    await start()
    writeFileSync(join(directory, 'other'), 'x')
    utimesSync(file, 1, 1)
    await sleep(300)
    watch?.close()
    writeFileSync(file, two)
    await sleep(300)
    assert.deepEqual(told, [])
  })
})

async function until(happened: () => boolean): Promise<void> {
  for (let i = 0; i < 150 && !happened(); i++) await sleep(20)
  assert.ok(happened(), 'nothing told within 3 s')
}
