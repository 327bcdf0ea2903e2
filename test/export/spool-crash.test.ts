import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { HttpReceiver } from '../support/otlp-receivers.ts'

const program = new URL('../support/spooling-process.ts', import.meta.url).pathname
const KILLS = 4
const FAR = 1_000_000_000

let folder: string
let receiver: HttpReceiver

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-spool-'))
  receiver = new HttpReceiver()
  await receiver.start()
})

afterEach(async () => {
  await receiver.stop()
  rmSync(folder, { recursive: true })
})

interface Run {
  readonly accepted: readonly number[]
  readonly code: number | null
}

/** Killed after that time, or not at all. */
async function run(first: number, last: number, killAfterMs?: number): Promise<Run> {
  const url = `http://127.0.0.1:${receiver.port}/v1/logs`
  const child = spawn(process.execPath, [program, folder, url, String(first), String(last)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const accepted: number[] = []
  const lines = createInterface({ input: child.stdout })
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')])
  lines.on('line', line => accepted.push(Number(line)))
  if (killAfterMs !== undefined) {
    await Promise.race([once(lines, 'line'), ended])
    await sleep(killAfterMs)
    child.kill('SIGKILL')
  }
  await ended
  return { accepted, code: child.exitCode }
}

describe('a spool whose process is killed', () => {
  it('delivers everything that it accepted, and what it delivers twice is the same', async function () {
    this.timeout(120_000)
    // A receiver that takes some, answers some late, and turns some away: at every point there is something under way.
    let asked = 0
    receiver.answer = response => {
      if (++asked % 3 === 0) response.writeHead(503).end()
      else setTimeout(() => response.end(), asked % 7)
    }
    const accepted: number[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      const first = kill * 1_000_000
      const { accepted: some, code } = await run(first, FAR, 30 + kill * 60)
      assert.equal(code, null, 'it was killed')
      assert.ok(some.length > 0)
      accepted.push(...some)
    }
    receiver.answer = response => response.end()
    assert.equal((await run(0, 0)).code, 0)

    const bodies = new Map<number, Set<string>>()
    for (const { body } of receiver.requests) {
      const text = body.toString()
      const number = Number.parseInt(text, 10)
      bodies.set(number, (bodies.get(number) ?? new Set()).add(text))
    }
    const missing = accepted.filter(number => !bodies.has(number))
    assert.deepEqual(missing, [])
    assert.ok([...bodies.values()].every(({ size }) => size === 1))
    // What was delivered and not accepted can only be what each process was just about to say.
    assert.ok(bodies.size - accepted.length <= KILLS, `${bodies.size} delivered, ${accepted.length} accepted`)
    assert.ok(receiver.requests.length > bodies.size, 'something was sent again')
  })
})
