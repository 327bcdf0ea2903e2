// The kernel matrix: the same programs, core and packets on several Linux releases, each booted in QEMU.
import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { Unavailable } from '../../deploy/debian-index.ts'
import { skip } from '../support/skip.ts'
import { corpusFile } from './corpus-file.ts'
import { documentedKernels } from './documented-kernels.ts'
import { facts } from './facts.ts'
import { boot, hasQemu, type Said } from './guest.ts'
import { kernelsOf } from './kernel-packages.ts'

/** Debian's releases from 11 to 13, and what comes next. */
const SERIES = ['5.10', '6.1', '6.12', 'newest']
const AT_ONCE = 2
const MOST_VERIFIED_INSTRUCTIONS = 6_500
const CONSOLE_LINES = 15

interface Booted extends Said {
  readonly version: string
}

/** Why there are none, or every kernel's guest: two run at a time, the first ones first. */
function bootAll(): string | Map<string, Promise<Booted>> {
  if (process.arch !== 'x64') return 'the kernels of the matrix are x86_64’s'
  if (!hasQemu()) return 'qemu-system-x86 is not installed'
  const guests = new Map<string, Promise<Booted>>()
  const corpus = corpusFile()
  try {
    for (const [series, kernel] of kernelsOf(SERIES)) {
      const turn = [...guests.values()].at(-AT_ONCE)
      const begun = (turn ?? Promise.resolve()).then(() => boot(kernel, corpus))
      guests.set(
        series,
        begun.then(said => ({ ...said, version: kernel.version })),
      )
    }
    return guests
  } catch (error) {
    if (error instanceof Unavailable) return error.message
    throw error
  }
}

describe('the kernel matrix', function () {
  this.timeout(600_000)
  let guests: ReturnType<typeof bootAll>
  before(function () {
    guests = bootAll()
    if (typeof guests === 'string') skip(this, guests)
  })

  for (const series of SERIES)
    describe(`Linux ${series}`, () => {
      let guest: Booted

      before(async function () {
        const booting = (guests as Map<string, Promise<Booted>>).get(series)
        if (!booting) skip(this, 'no package of it is to be had')
        guest = await booting
      })

      it('boots, says all that it is asked, and powers off', function () {
        assert.ok(guest.complete, `no end:\n${lastLines(guest.console)}`)
        const seconds = guest.seconds.toFixed(0)
        this.test!.title =
          `boots as ${guest.figures.get('release')}, package version ${guest.version}, and says all within ${seconds} s`
        assert.deepEqual(
          [...guest.facts.keys()].filter(fact => !facts.includes(fact)),
          [],
          'facts that nobody asked for',
        )
      })

      for (const fact of facts)
        it(fact, function () {
          const said = guest.facts.get(fact)
          assert.ok(said, `the guest says nothing of it:\n${lastLines(guest.console)}`)
          if (said.outcome === 'skip') skip(this, said.why)
          assert.equal(said.outcome, 'ok', `${said.why}\n${remarks(guest.console)}`)
        })

      it(`verifies each program in at most ${MOST_VERIFIED_INSTRUCTIONS} instructions`, function () {
        const verified = [...guest.figures].filter(([name]) => name.startsWith('verified:'))
        const words = verified.map(([name, count]) => `${name.replace('verified:', '')} ${count}`).join(', ')
        this.test!.title += `: ${words}`
        assert.notEqual(verified.length, 0)
        // A program that is refused has no number.
        const beyond = verified.filter(([, count]) => !(Number(count) <= MOST_VERIFIED_INSTRUCTIONS))
        assert.deepEqual(beyond, [])
      })

      it('does what docs/kernels.md says of it', () => {
        const { rows, column } = documentedKernels(series)
        for (const fact of guest.facts.keys())
          assert.ok(
            rows.some(({ subject }) => fact.startsWith(subject)),
            `no row for: ${fact}`,
          )
        for (const { subject, cells } of rows) {
          const outcomes = [...guest.facts]
            .filter(([fact]) => fact.startsWith(subject))
            .map(([, { outcome }]) => outcome)
          const word = outcomes.every(outcome => outcome === 'ok') ? 'yes' : 'no'
          assert.equal(cells[column], word, subject)
          assert.notEqual(outcomes.length, 0, `nobody says: ${subject}`)
        }
      })
    })
})

function lastLines(console: string): string {
  return console.trimEnd().split('\n').slice(-CONSOLE_LINES).join('\n')
}

function remarks(console: string): string {
  return console
    .split('\n')
    .filter(line => line.startsWith('# '))
    .join('\n')
}
