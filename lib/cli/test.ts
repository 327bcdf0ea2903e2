// The verb `test`: types, lint and form, then every mocha test in one process with the coverage of lib/.
import { spawn } from 'node:child_process'
import { globSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Failure } from '../host/failure.ts'
import { requireClone } from './clone-only.ts'
import { conclusion, firstLine, sumOf, type TestFailure, type TestOutcome } from './test-outcome.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const countsFile = 'build/test-counts.json'
const kernelAndAddon = '{ebpf,addon,traffic,fuzz,test/support/native,test/kernels}/**/*.{c,cc,h}'

/** In the order in which they run: what is quick and near the code first. */
const levels = ['checks', 'unit', 'ebpf', 'addon', 'agent', 'end-to-end', 'package', 'fuzz', 'kernels']
const rootless = new Set(['checks', 'unit', 'fuzz', 'kernels'])

export interface TestOptions {
  readonly only: string | undefined
  readonly list: boolean
}

interface Ended {
  /** undefined when the program is not there. */
  readonly code: number | undefined
  readonly output: string
}

export async function run(options: TestOptions): Promise<number> {
  requireClone('test', 'test')
  const chosen = choose(options.only)
  const files = chosen.flatMap(level => filesOf(level))
  if (options.list) return list(chosen)
  demandRoot(chosen)
  const checks = chosen.includes('checks') ? await runChecks() : []
  const tests = files.length > 0 ? [await runMocha(files)] : []
  const outcome = sumOf([...checks, ...tests])
  process.stdout.write(conclusion(outcome))
  return outcome.failures.length > 0 || outcome.passed === 0 ? 1 : 0
}

function choose(only: string | undefined): string[] {
  if (only === undefined) return levels
  if (levels.includes(only)) return [only]
  const remedy = `use one of ${levels.join(', ')}`
  throw new Failure({ step: 'test', subject: `--only ${only}`, cause: 'there is no such level', remedy, exitCode: 2 })
}

/** The folder under test/ is the level; every other folder, and test/ itself, is `unit`. */
function levelOf(file: string): string {
  const folder = file.split('/')[1] ?? ''
  return levels.includes(folder) ? folder : 'unit'
}

function filesOf(level: string): string[] {
  const all = globSync('test/**/*.test.ts', { cwd: root }).sort()
  return all.filter(file => levelOf(file) === level)
}

function list(chosen: string[]): number {
  for (const level of chosen) {
    process.stdout.write(`${level}${rootless.has(level) ? '' : ' (needs root)'}\n`)
    const names = level === 'checks' ? ['types', 'lint', 'form'] : filesOf(level)
    for (const name of names) process.stdout.write(`  ${name}\n`)
  }
  return 0
}

function demandRoot(chosen: string[]): void {
  if (process.getuid?.() === 0 || chosen.every(level => rootless.has(level))) return
  const cause = 'these tests load kernel programs and make network namespaces, which takes root'
  const remedy = 'run: sudo ./podweir test; without root: npm test'
  throw new Failure({ step: 'test', subject: 'this machine', cause, remedy })
}

async function runChecks(): Promise<TestOutcome[]> {
  process.stdout.write('\n  checks\n')
  const biome = `node_modules/@biomejs/cli-linux-${process.arch}/biome`
  return [
    report('types', await collect(process.execPath, ['node_modules/typescript/bin/tsc'])),
    report('lint', await collect(biome, ['check', '--error-on-warnings'])),
    report('form', await checkForm()),
  ]
}

/** Releases differ in what they call well-formed. */
async function checkForm(): Promise<Ended> {
  const version = await collect('clang-format', ['--version'])
  if (version.code !== 0) return version
  if (!version.output.includes(' version 14.')) return { code: undefined, output: 'clang-format is not release 14' }
  const sources = globSync(kernelAndAddon, { cwd: root }).sort()
  return collect('clang-format', ['--dry-run', '--Werror', ...sources])
}

function report(name: string, { code, output }: Ended): TestOutcome {
  if (code === undefined) {
    process.stdout.write(`  - ${name} (skipped: ${output})\n`)
    return { passed: 0, skipped: 1, failures: [] }
  }
  if (code !== 0) {
    process.stdout.write(`  ✖ ${name}\n${output}\n`)
    return { passed: 0, skipped: 0, failures: [{ title: name, error: firstLine(output) }] }
  }
  process.stdout.write(`  ✔ ${name}\n`)
  return { passed: 1, skipped: 0, failures: [] }
}

function collect(program: string, parameters: string[]): Promise<Ended> {
  const child = spawn(program, parameters, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text
    })
  }
  return new Promise(resolve => {
    child.on('error', () => resolve({ code: undefined, output: `${program} is not installed` }))
    child.on('close', code => resolve({ code: code ?? 1, output }))
  })
}

async function runMocha(files: string[]): Promise<TestOutcome> {
  rmSync(`${root}/${countsFile}`, { force: true })
  const coverage = [
    '--all',
    '--include',
    'lib/**',
    '--skip-full',
    '--reporter',
    'text',
    '--reports-dir',
    'build/coverage',
  ]
  const reporter = ['--reporter', 'test/support/reporter.ts', '--reporter-option', `counts=${countsFile}`]
  // Only root sees what is left: other people's namespaces and kernel programs.
  const watch = process.getuid?.() === 0 ? ['--require', 'test/support/nothing-left.ts'] : []
  const mocha = ['node_modules/mocha/bin/mocha.js', '--forbid-only', ...watch, ...reporter, ...files]
  const parameters = ['node_modules/c8/bin/c8.js', ...coverage, process.execPath, ...mocha]
  const child = spawn(process.execPath, parameters, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const code = await new Promise<number>(resolve => child.on('close', ended => resolve(ended ?? 1)))
  return readOutcome(code)
}

/** A run that ended early, or did not end well although no test failed, is a failure of its own. */
function readOutcome(code: number): TestOutcome {
  const failedRun = (error: string): TestFailure[] => [{ title: 'mocha', error }]
  try {
    const outcome: TestOutcome = JSON.parse(readFileSync(`${root}/${countsFile}`, 'utf8'))
    if (code === 0 || outcome.failures.length > 0) return outcome
    return { ...outcome, failures: failedRun(`it ended with ${code} although no test failed`) }
  } catch {
    return { passed: 0, skipped: 0, failures: failedRun('it ended before its last test') }
  }
}
