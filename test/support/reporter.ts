// mocha's own report, then every skipped test again with its reason, and the counts in a file for `podweir test`.
import { writeFileSync } from 'node:fs'
import mocha, { type MochaOptions, type Runner, type Test } from 'mocha'
import { skipReason } from './skip.ts'

const defaultLingerMs = 10_000

class Reporter extends mocha.reporters.Spec {
  readonly #skipped: Test[] = []
  readonly #countsFile: string | undefined
  readonly #lingerMs: number

  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options)
    this.#countsFile = options.reporterOptions?.counts
    this.#lingerMs = Number(options.reporterOptions?.lingerMs ?? defaultLingerMs)
    runner.on('pending', test => this.#skipped.push(test))
    runner.on('end', () => this.#conclude())
  }

  #conclude(): void {
    if (this.#skipped.length > 0) process.stdout.write('  left out:\n')
    for (const test of this.#skipped) {
      const reason = skipReason(test) === undefined ? ' (no reason given)' : ''
      process.stdout.write(`  - ${test.fullTitle()}${reason}\n`)
    }
    const { passes: passed, failures: failed, pending: skipped } = this.stats
    if (this.#countsFile) writeFileSync(this.#countsFile, JSON.stringify({ passed, failed, skipped }))
    leaveAfter(this.#lingerMs)
  }
}

/** A test that leaves a timer, socket or process open fails the run, and does not hang it. */
function leaveAfter(lingerMs: number): void {
  setTimeout(() => {
    process.stdout.write(`  still open after the last test: ${process.getActiveResourcesInfo().join(', ')}\n`)
    // mocha's listener sets the exit code to the number of failures; this one comes after it.
    process.once('exit', () => {
      process.exitCode = 1
    })
    process.exit()
  }, lingerMs).unref()
}

// mocha loads a reporter by require(), which takes this for module.exports.
export { Reporter as 'module.exports' }
