// One fuzz target from its sources to its findings: built, replayed, run for a time, its corpus made small.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure } from '../lib/host/failure.ts'
import { netlinkSeeds } from './netlink-seeds.ts'
import { drainSeeds, observeSeeds, parseSeeds } from './packet-seeds.ts'
import { procSeeds } from './proc-seeds.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A longer input is not kept. */
const KEPT_BYTES = 300

interface Subject {
  readonly seeds: () => Map<string, Uint8Array>
  /** Longest input. */
  readonly maxBytes: number
}

const subjects = {
  parse: { seeds: parseSeeds, maxBytes: 400 },
  observe: { seeds: observeSeeds, maxBytes: 4000 },
  netlink: { seeds: netlinkSeeds, maxBytes: 4000 },
  proc: { seeds: procSeeds, maxBytes: 4000 },
  drain: { seeds: drainSeeds, maxBytes: 4000 },
} satisfies Record<string, Subject>

export type Target = keyof typeof subjects
export const targets = Object.keys(subjects) as Target[]

export interface Outcome {
  /** 0 when nothing was found. */
  readonly exitCode: number
  readonly executions: number
  /** Branches of the product's code that were reached. */
  readonly edges: number
  /** Files with what was found. */
  readonly findings: readonly string[]
  readonly output: string
}

/** Why fuzzing is not possible here, undefined when it is. */
export function missingTool(): string | undefined {
  const clang = ['clang-14', 'clang'].find(name => answerOf(name, '--version') !== '')
  if (!clang) return 'needs clang'
  const machine = answerOf('uname', '-m')
  const found = answerOf(clang, `-print-file-name=libclang_rt.fuzzer-${machine}.a`)
  return existsSync(found) ? undefined : "needs clang's sanitizers and libFuzzer (Debian: libclang-rt-dev)"
}

export async function build(): Promise<void> {
  const parameters = ['-f', 'fuzz/Makefile', '--jobs', String(cpus().length)]
  const { exitCode, output } = await run('make', parameters)
  if (exitCode === 0) return
  const remedy = 'mend what the lines above say and start again'
  throw new Failure({ step: 'build', subject: 'fuzz/', cause: output, remedy })
}

/** Runs what once found something, then every seed and the kept corpus, each once. */
export function replay(target: Target): Promise<Outcome> {
  const folders = [regressionsOf(target), corpusOf(target), writeSeeds(target)]
  return runTarget(target, 'replay', folders.flatMap(filesIn))
}

export interface FuzzOptions {
  readonly seconds: number
  /** 0: another one each time. */
  readonly seed: number
  /** Begins with what the repository has, not with what earlier runs found. */
  readonly fresh: boolean
}

/** What is new and interesting goes to a folder of build/, findings too. */
export function fuzz(target: Target, { seconds, seed, fresh }: FuzzOptions): Promise<Outcome> {
  const found = fresh ? join(root, 'build/fuzz/fresh', target) : foundBy(target)
  if (fresh) rmSync(found, { recursive: true, force: true })
  const folders = made([found, corpusOf(target), writeSeeds(target)])
  const limits = [`-max_total_time=${seconds}`, `-max_len=${subjects[target].maxBytes}`, `-seed=${seed}`]
  return runTarget(target, fresh ? 'fresh' : 'found', [...limits, '-print_final_stats=1', ...folders])
}

/** Replaces the kept corpus by the fewest small inputs that reach what the seeds don't, of all that was found. */
export async function keepCorpus(target: Target): Promise<number> {
  const [merged, small] = ['merged', 'small'].map(name => join(root, 'build/fuzz', name, target)) as [string, string]
  for (const folder of [merged, small]) rmSync(folder, { recursive: true, force: true })
  cpSync(writeSeeds(target), merged, { recursive: true })
  const seeds = new Set(filesIn(merged))
  made([small])
  for (const file of [corpusOf(target), foundBy(target)].flatMap(filesIn))
    if (statSync(file).size <= KEPT_BYTES) cpSync(file, join(small, basename(file)))
  const { exitCode, output } = await runTarget(target, 'merge', ['-merge=1', '-use_counters=0', merged, small])
  if (exitCode !== 0) throw new Failure({ step: 'merge', subject: target, cause: output, remedy: 'replay the corpus' })
  const kept = filesIn(merged).filter(file => !seeds.has(file))
  rmSync(corpusOf(target), { recursive: true, force: true })
  for (const file of kept) cpSync(file, join(corpusOf(target), basename(file)))
  return kept.length
}

const corpusOf = (target: Target) => join(root, 'fuzz/corpus', target)
const regressionsOf = (target: Target) => join(root, 'fuzz/regressions', target)
const foundBy = (target: Target) => join(root, 'build/fuzz/found', target)

/** Where the kernel scatters addresses widely (vm.mmap_rnd_bits), AddressSanitizer before LLVM 18 finds no place now and then. */
function fixedAddresses(): string[] {
  const wrapper = ['setarch', '--addr-no-randomize']
  return spawnSync(wrapper[0]!, [...wrapper.slice(1), 'true']).status === 0 ? wrapper : []
}

async function runTarget(target: Target, purpose: string, parameters: readonly string[]): Promise<Outcome> {
  const findings = join(root, 'build/fuzz/findings', purpose, target)
  made([findings])
  const earlier = new Set(filesIn(findings))
  const common = [`-artifact_prefix=${findings}/`, '-timeout=30', '-rss_limit_mb=2048']
  const [program, ...rest] = [...fixedAddresses(), join(root, 'build/fuzz', target), ...common, ...parameters]
  const { exitCode, output } = await run(program!, rest)
  const newest = (pattern: RegExp) => Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0)
  return {
    exitCode,
    executions: newest(/stat::number_of_executed_units: (\d+)/g) || [...output.matchAll(/^Executed /gm)].length,
    edges: newest(/ cov: (\d+) /g),
    findings: filesIn(findings).filter(file => !earlier.has(file)),
    output,
  }
}

function writeSeeds(target: Target): string {
  const folder = join(root, 'build/fuzz/seeds', target)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of subjects[target].seeds()) writeFileSync(join(folder, name.replaceAll(/\W+/g, '-')), bytes)
  return folder
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).sort()
  return names.map(name => join(folder, name))
}

function made(folders: string[]): string[] {
  for (const folder of folders) mkdirSync(folder, { recursive: true })
  return folders
}

interface Ended {
  readonly exitCode: number
  readonly output: string
}

function run(program: string, parameters: readonly string[]): Promise<Ended> {
  const child = spawn(program, parameters, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text
    })
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ exitCode: code ?? 1, output }))
  })
}

function answerOf(program: string, parameter: string): string {
  try {
    return execFileSync(program, [parameter], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}
