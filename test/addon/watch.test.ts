// What the kernel tells of devices and namespaces as they come and go, and what a survey then finds.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import type { Changes } from '../../lib/capture/flow-source.ts'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'
import { ipBatch } from '../../lib/demo/iproute.ts'
import { skip } from '../support/skip.ts'
import { until } from '../support/until.ts'

const NAME = `pww${process.pid}`
const DEVICE = `pww${process.pid}d`
/** Namespaces of other tests come and go meanwhile. */
const SILENCE_MS = 300

describe('the watch', function () {
  this.timeout(20_000)
  let source: NativeProbeSource
  let watch: { close(): void }
  let told: Changes[]

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to make network namespaces')
    source = await NativeProbeSource.open({ flowLimit: 16, retire: RETIRE_TIMES, auditEvery: 0 })
  })
  beforeEach(() => {
    told = []
    watch = source.watch(changes => told.push(changes))
  })
  afterEach(async () => {
    watch.close()
    await ipBatch([`link del ${DEVICE}`]).catch(() => {})
    await ipBatch([`netns del ${NAME}`]).catch(() => {})
  })
  after(() => source?.close())

  const toldOf = (what: string, holds: () => boolean) => until(what, holds, { limitMs: 2_000 })

  it('tells of a namespace’s name, of its number, and of their end', async () => {
    await ipBatch([`netns add ${NAME}`])
    await toldOf('the name', () => told.length > 0)
    told.length = 0
    await ipBatch([`netns set ${NAME} auto`])
    await toldOf('the number', () => told.length > 0)
    const { id } = (await source.namespaces()).find(({ path }) => path === `/run/netns/${NAME}`)!
    assert.ok(id >= 0)
    await ipBatch([`netns del ${NAME}`])
    await toldOf('the number’s end', () => told.some(({ deletedIds }) => deletedIds.includes(id)))
  })

  it('tells of a device’s coming, new name and end, and not of its flags', async () => {
    await ipBatch([`link add ${DEVICE} type veth peer name ${DEVICE}p`])
    await toldOf('the device', () => told.length > 0)
    const { index } = (await source.links()).find(({ name }) => name === DEVICE)!
    await sleep(SILENCE_MS)
    told.length = 0
    await ipBatch([`link set ${DEVICE} up`, `link set ${DEVICE} mtu 1400`, `link set ${DEVICE} down`])
    await sleep(SILENCE_MS)
    assert.deepEqual(told, [])
    await ipBatch([`link set ${DEVICE}p name ${DEVICE}q`])
    await toldOf('the new name', () => told.length > 0)
    await ipBatch([`link del ${DEVICE}`])
    await toldOf('its end', () => told.some(({ deletedLinks }) => deletedLinks.includes(index)))
  })

  it('tells of a burst in few words', async () => {
    const devices = Array.from({ length: 40 }, (_, i) => `${DEVICE}${i}`)
    try {
      await ipBatch(devices.map(device => `link add ${device} type bridge`))
      await toldOf('devices', () => told.length > 0)
    } finally {
      await ipBatch(devices.map(device => `link del ${device}`))
    }
    await toldOf('their ends', () => told.flatMap(({ deletedLinks }) => deletedLinks).length >= devices.length)
    assert.ok(told.length < 2 * devices.length, `${told.length} reports`)
  })

  it('tells nothing any more once it is closed', async () => {
    watch.close()
    await ipBatch([`netns add ${NAME}`])
    await sleep(SILENCE_MS)
    assert.deepEqual(told, [])
    watch.close()
  })

  it('leaves no thread and no descriptor', async () => {
    const { readdirSync } = await import('node:fs')
    const open = () => readdirSync('/proc/self/fd').length + readdirSync('/proc/self/task').length
    const first = open()
    for (let i = 0; i < 50; i++) source.watch(() => {}).close()
    assert.equal(open(), first)
  })
})

describe('a survey', function () {
  this.timeout(20_000)
  let source: NativeProbeSource

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to make network namespaces')
    source = await NativeProbeSource.open({ flowLimit: 16, retire: RETIRE_TIMES, auditEvery: 0 })
  })
  afterEach(() => ipBatch([`netns del ${NAME}`]).catch(() => {}))
  after(() => source?.close())

  const named = async () => (await source.survey()).namespaces.find(({ path }) => path === `/run/netns/${NAME}`)

  it('gives a namespace a cookie that the next one of its name does not have', async () => {
    await ipBatch([`netns add ${NAME}`])
    const first = (await named())!
    assert.ok(first.cookie > 0)
    assert.deepEqual(await named(), first)
    await ipBatch([`netns del ${NAME}`, `netns add ${NAME}`])
    assert.notEqual((await named())!.cookie, first.cookie)
  })

  it('lists the agent’s own namespace with this process’s cgroup, and each namespace once', async () => {
    const { namespaces, mayEnter } = await source.survey()
    const own = namespaces.find(({ path }) => path === '')!
    assert.ok(own.residents.length > 0)
    assert.equal(new Set(namespaces.map(({ inode }) => inode)).size, namespaces.length)
    assert.equal(mayEnter, true)
    for (const { residents } of namespaces)
      assert.deepEqual(
        residents,
        residents.toSorted((a, b) => a.started - b.started || a.process - b.process),
      )
  })

  it('lists the addresses of a namespace by its number, without entering it', async () => {
    await ipBatch([`netns add ${NAME}`, `link add ${DEVICE} type veth peer name eth0 netns ${NAME}`])
    await ipBatch(['address add 10.9.8.7/24 dev eth0', 'address add fd09::7/64 dev eth0 nodad'], NAME)
    const { id } = (await named())!
    const texts = (await source.addresses(id)).map(
      ({ index, bytes }) => `${index} ${Buffer.from(bytes).toString('hex')}`,
    )
    assert.deepEqual(texts.sort(), ['2 0a090807', `2 fd09${'0'.repeat(27)}7`])
    await assert.rejects(source.addresses(1_000_000), /list addresses/)
  })
})
