// The verb `test`: types, lint and form, then every mocha test in one process with the coverage of lib/.
import { spawn } from 'node:child_process'
import { globSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Failure } from '../host/failure.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const countsFile = 'build/test-counts.json'
const kernelAndAddon = '{ebpf,addon,traffic,fuzz,test/support/native,test/kernels}/**/*.{c,cc,h}'

/** In the order in which they run: what is quick and near the code first. */
const levels = ['checks', 'unit', 'ebpf', 'addon', 'agent', 'end-to-end', 'fuzz', 'kernels']
const rootless = new Set(['checks', 'unit', 'fuzz', 'kernels'])

export interface TestOptions {
  readonly only: string | undefined
  readonly list: boolean
}

interface Counts {
  passed: number
  failed: number
  skipped: number
}

interface Ended {
  /** undefined when the program is not there. */
  readonly code: number | undefined
  readonly output: string
}

export async function run(options: TestOptions): Promise<number> {
  const chosen = choose(options.only)
  const files = chosen.flatMap(level => filesOf(level))
  if (options.list) return list(chosen)
  demandRoot(chosen)
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  if (chosen.includes('checks')) await runChecks(counts)
  if (files.length > 0) await runMocha(files, counts)
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0
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

async function runChecks(counts: Counts): Promise<void> {
  process.stdout.write('\n  checks\n')
  const biome = `node_modules/@biomejs/cli-linux-${process.arch}/biome`
  report('types', await collect(process.execPath, ['node_modules/typescript/bin/tsc']), counts)
  report('lint', await collect(biome, ['check', '--error-on-warnings']), counts)
  report('form', await checkForm(), counts)
}

/** Releases differ in what they call well-formed. */
async function checkForm(): Promise<Ended> {
  const version = await collect('clang-format', ['--version'])
  if (version.code !== 0) return version
  if (!version.output.includes(' version 14.')) return { code: undefined, output: 'clang-format is not release 14' }
  const sources = globSync(kernelAndAddon, { cwd: root }).sort()
  return collect('clang-format', ['--dry-run', '--Werror', ...sources])
}

function report(name: string, ended: Ended, counts: Counts): void {
  if (ended.code === undefined) {
    counts.skipped++
    process.stdout.write(`  - ${name} (skipped: ${ended.output})\n`)
    return
  }
  if (ended.code === 0) counts.passed++
  else counts.failed++
  process.stdout.write(ended.code === 0 ? `  ✔ ${name}\n` : `  ✖ ${name}\n${ended.output}\n`)
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

async function runMocha(files: string[], counts: Counts): Promise<void> {
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
  const ran = readCounts()
  counts.passed += ran.passed
  // A run that ended early, or did not end by itself, is a failure of its own.
  counts.failed += ran.failed === 0 && code !== 0 ? 1 : ran.failed
  counts.skipped += ran.skipped
}

function readCounts(): Counts {
  try {
    return JSON.parse(readFileSync(`${root}/${countsFile}`, 'utf8'))
  } catch {
    process.stdout.write('podweir: mocha ended before its last test\n')
    return { passed: 0, failed: 1, skipped: 0 }
  }
}
