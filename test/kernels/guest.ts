// One boot of one kernel in QEMU, without KVM: what the guest program said of it.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Initramfs } from './initramfs.ts'
import type { Kernel } from './kernel-packages.ts'

const GUEST_PROGRAM = fileURLToPath(new URL('../../build/Release/podweir-kernel-check', import.meta.url))
const QEMU = 'qemu-system-x86_64'
const LONGEST_MS = 180_000
const MEMORY_MB = 512

export interface Fact {
  readonly outcome: 'ok' | 'not ok' | 'skip'
  /** Empty when it is ok. */
  readonly why: string
}

export interface Said {
  readonly facts: ReadonlyMap<string, Fact>
  readonly figures: ReadonlyMap<string, string>
  /** The guest came to its end. */
  readonly complete: boolean
  readonly console: string
  readonly seconds: number
}

export function hasQemu(): boolean {
  return spawnSync(QEMU, ['--version']).status === 0
}

/** A boot now and then ends early, or hangs without a first word: then once more. One that hangs later has failed. */
export async function boot(kernel: Kernel, corpus: Uint8Array): Promise<Said> {
  const folder = mkdtempSync(join(tmpdir(), 'podweir-kernel-'))
  try {
    const initramfs = join(folder, 'initramfs')
    writeFileSync(initramfs, fileSystem(kernel, corpus))
    const first = await run(kernel.image, initramfs)
    const hung = first.seconds * 1000 >= LONGEST_MS && first.console.trim() !== ''
    return first.complete || hung ? first : await run(kernel.image, initramfs)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function fileSystem(kernel: Kernel, corpus: Uint8Array): Buffer {
  const files = new Initramfs().add('init', readFileSync(GUEST_PROGRAM)).add('corpus', corpus)
  for (const library of librariesOf(GUEST_PROGRAM)) files.add(library.slice(1), readFileSync(library))
  kernel.modules.forEach((module, i) => {
    files.add(`modules/${i}-${basename(module)}`, readFileSync(module))
  })
  return files.bytes()
}

/** With the loader; at the same places in the guest. */
function librariesOf(program: string): string[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' })
  return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path!)
}

async function run(image: string, initramfs: string): Promise<Said> {
  const startedMs = performance.now()
  // Two processors, so that both directions of a connection can be counted at once.
  const machine = ['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', `${MEMORY_MB}`]
  const devices = ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot']
  const append = 'console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on'
  const parameters = [...machine, ...devices, '-kernel', image, '-initrd', initramfs, '-append', append]
  const child = spawn(QEMU, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  })
  let console = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', text => {
      console += text
    })
  await new Promise(resolve => child.on('close', resolve))
  return { ...parse(console), seconds: (performance.now() - startedMs) / 1000 }
}

/** Lines as main.cc and report.cc write them, between whatever kernel and firmware say. */
export function parse(console: string): Omit<Said, 'seconds'> {
  const facts = new Map<string, Fact>()
  const figures = new Map<string, string>()
  let complete = false
  for (const line of console.split(/\r*\n/)) {
    const [, outcome, name, why] = /^(ok|not ok|skip) (.*?)(?:: (.*))?$/.exec(line) ?? []
    if (outcome) facts.set(name!, { outcome: outcome as Fact['outcome'], why: why ?? '' })
    const [, figure, value] = /^figure (.*) (\S+)$/.exec(line) ?? []
    if (figure) figures.set(figure, value!)
    complete ||= line === 'end'
  }
  return { facts, figures, complete, console }
}
