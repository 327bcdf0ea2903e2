// mocha's own report, then every skipped test again with its reason, and the outcome in a file for `podweir test`.
import { writeFileSync } from 'node:fs'
import mocha, { type MochaOptions, type Runnable, type Runner, type Test } from 'mocha'
import { firstLine, type TestFailure, type TestOutcome } from '../../lib/cli/test-outcome.ts'
import { skipReason } from './skip.ts'

const defaultLingerMs = 10_000

class Reporter extends mocha.reporters.Spec {
  readonly #skipped: Test[] = []
  readonly #failures: TestFailure[] = []
  readonly #countsFile: string | undefined
  readonly #lingerMs: number

  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options)
    this.#countsFile = options.reporterOptions?.counts
    this.#lingerMs = Number(options.reporterOptions?.lingerMs ?? defaultLingerMs)
    runner.on('pending', test => this.#skipped.push(test))
    // Of a hook, too.
    runner.on('fail', (failed: Runnable, error: unknown) => this.#fail(failed.fullTitle(), error))
    runner.on('end', () => this.#conclude())
  }

  #conclude(): void {
    if (this.#skipped.length > 0) process.stdout.write('  left out:\n')
    for (const test of this.#skipped) {
      const reason = skipReason(test) === undefined ? ' (no reason given)' : ''
      process.stdout.write(`  - ${test.fullTitle()}${reason}\n`)
    }
    this.#write()
    setTimeout(() => this.#leave(), this.#lingerMs).unref()
  }

  /** A test that leaves a timer, socket or process open fails the run, and does not hang it. */
  #leave(): void {
    const open = process.getActiveResourcesInfo().join(', ')
    process.stdout.write(`  still open after the last test: ${open}\n`)
    this.#fail('still open after the last test', open)
    this.#write()
    // mocha's listener sets the exit code to the number of failures; this one comes after it.
    process.once('exit', () => {
      process.exitCode = 1
    })
    process.exit()
  }

  #fail(title: string, error: unknown): void {
    this.#failures.push({ title, error: firstLine(error instanceof Error ? error.message : String(error)) })
  }

  #write(): void {
    if (!this.#countsFile) return
    const outcome: TestOutcome = {
      passed: this.stats.passes,
      skipped: this.stats.pending,
      failures: this.#failures,
    }
    writeFileSync(this.#countsFile, JSON.stringify(outcome))
  }
}

// mocha loads a reporter by require(), which takes this for module.exports.
export { Reporter as 'module.exports' }
