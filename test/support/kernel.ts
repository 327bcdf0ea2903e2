// The typed face of the test addon: programs run on built packets, maps read and written, foreign programs hooked.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const BUILD = new URL('../../build/Release/', import.meta.url)

export interface RunOptions {
  /** Runs of the same packet in one system call; what a run changes of it stays for the next. */
  readonly repeat?: number
  readonly gsoSize?: number
  readonly gsoSegs?: number
  readonly wireBytes?: number
}

export interface Run {
  /** What the program returned, as the kernel takes it: -1 is "not our decision". */
  readonly returned: number
  /** CPU time of a run; the system call is in it. */
  readonly nanoseconds: number
  readonly packet: Uint8Array
}

export interface HookPlace {
  /** Path of a network namespace; absent: the process's own. */
  readonly netns?: string
  readonly device: string
  readonly direction: 'ingress' | 'egress'
}

export interface Hook extends HookPlace {
  readonly where: 'tcx-head' | 'tcx-tail' | 'clsact'
  /** Of the filter, for clsact. */
  readonly priority?: number
}

interface NativeObject {
  programs(): Record<string, number>
  maps(): Record<string, number>
  hook(program: string, hook: Hook): void
  close(): void
}

interface NativeLoop {
  stop(): number
}

interface Kernel {
  testRun(programId: number, packet: Uint8Array, options?: RunOptions): Run
  fillFlows(programId: number, packet: Uint8Array, count: number, seed: number): void
  readMap(mapId: number, key: Uint8Array): Uint8Array | undefined
  writeMap(mapId: number, key: Uint8Array, value: Uint8Array): void
  deleteFromMap(mapId: number, key: Uint8Array): void
  putProgram(mapId: number, index: number, programId: number): void
  tcxPrograms(place: HookPlace): number[]
  sendFrames(place: Omit<HookPlace, 'direction'>, frames: readonly Uint8Array[]): number[]
  timeHashDrain(flows: number, method: 'batch' | 'next-key'): number
  readonly KernelObject: new (path: string, entries?: Record<string, number>) => NativeObject
  readonly RunLoop: new (programId: number, packets: readonly Uint8Array[], repeat: number, cpu: number) => NativeLoop
}

const kernel = createRequire(import.meta.url)(fileURLToPath(new URL('podweir-kernel.node', BUILD))) as Kernel

/** `BPF_PROG_TEST_RUN`. The kernel takes packets of 14 bytes up to about 3,500. */
export const testRun = kernel.testRun
/** One run for each of `count` distinct flows, made from the packet's remote address and ports. */
export const fillFlows = kernel.fillFlows
/** The values of all possible CPUs, one after the other, where the map is per CPU. */
export const readMap = kernel.readMap
export const writeMap = kernel.writeMap
export const deleteFromMap = kernel.deleteFromMap
/** Puts a program into a map of programs. */
export const putProgram = kernel.putProgram
/** Ids of the tcx programs at a device, from first to last. */
export const tcxPrograms = kernel.tcxPrograms
/** Out of a device, each behind its virtio header; one errno a frame, 0 for what was sent. */
export const sendFrames = kernel.sendFrames
/** Milliseconds to empty a hash of so many flows by system calls. */
export const timeHashDrain = kernel.timeHashDrain

/** A 32-bit number as maps take it for a key. */
export function key32(number: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(number).buffer)
}

/** A BPF object file of tests or benches, loaded. `entries` sets the size of maps by name. */
export class KernelObject {
  readonly programs: Readonly<Record<string, number>>
  readonly maps: Readonly<Record<string, number>>
  readonly #native: NativeObject

  constructor(name: string, entries: Record<string, number> = {}) {
    this.#native = new kernel.KernelObject(fileURLToPath(new URL(`${name}.bpf.o`, BUILD)), entries)
    this.programs = this.#native.programs()
    this.maps = this.#native.maps()
  }

  hook(program: string, hook: Hook): void {
    this.#native.hook(program, hook)
  }

  /** Takes its programs off their hooks. */
  close(): void {
    this.#native.close()
  }
}

export interface Load {
  readonly skbs: number
  readonly bytes: number
}

/** A program that is not ours and counts what passes its place in the chain. */
export class LoadCounter {
  readonly #object = new KernelObject('load_counter')

  /** `pass` lets the skb through and ends the chain; `next` leaves that to who follows. */
  constructor(hook: Hook, verdict: 'next' | 'pass' = 'next') {
    try {
      this.#object.hook(`foreign_${verdict}`, hook)
    } catch (error) {
      this.close()
      throw error
    }
  }

  get programId(): number {
    return this.#object.programs.foreign_next!
  }

  read(): Load {
    const perCpu = readMap(this.#object.maps.load!, key32(0))!
    const words = new BigUint64Array(perCpu.buffer, perCpu.byteOffset, perCpu.byteLength / 8)
    let skbs = 0
    let bytes = 0
    for (let cpu = 0; cpu < words.length; cpu += 2) {
      skbs += Number(words[cpu])
      bytes += Number(words[cpu + 1])
    }
    return { skbs, bytes }
  }

  close(): void {
    this.#object.close()
  }
}

/** Runs a program on packets, each `repeat` times in turn, on a thread that stays on one CPU. */
export class RunLoop {
  readonly #native: NativeLoop

  constructor(programId: number, packets: readonly Uint8Array[], options: { repeat: number; cpu: number }) {
    this.#native = new kernel.RunLoop(programId, packets, options.repeat, options.cpu)
  }

  /** The number of runs; none comes after it. */
  stop(): number {
    return this.#native.stop()
  }
}
