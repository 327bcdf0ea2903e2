// The live DropSource.
import type { DropReading, DropSource } from './drop-source.ts'
import type { AttachRequest } from './flow-source.ts'
import { type NativeError, told } from './native-failure.ts'
import { loadAddon } from './native-probe.ts'

/** What the addon's class Drops has. */
export interface NativeDrops {
  load(asBefore611: boolean): Promise<void>
  watch(attached: AttachRequest): Promise<number>
  unwatch(watch: number): Promise<void>
  read(): Promise<DropReading>
  close(): Promise<void>
}

export interface DropOptions {
  /** Leaves out what kernels say from Linux 6.11 on, to see what older ones come to. */
  readonly asBefore611?: boolean
}

// errno(3), as numbers because the addon hands over the kernel's.
const EPERM = 1
const ENODEV = 19
const EOPNOTSUPP = 95

function remedyFor({ errno, detail }: NativeError): string {
  if (errno === EPERM) return 'run as root, or grant CAP_BPF and CAP_PERFMON'
  if (errno === ENODEV) return 'check that the device exists (ip link)'
  if (errno === EOPNOTSUPP)
    return 'use Linux 5.17 or newer with its types (CONFIG_DEBUG_INFO_BTF), or set modules.drops: off'
  return detail ? 'the kernel said why above' : 'run with telemetry.logs.level: debug for more'
}

export class NativeDropSource implements DropSource {
  readonly #drops: NativeDrops

  private constructor(drops: NativeDrops) {
    this.#drops = drops
  }

  /** Counts from now on; needs CAP_BPF and CAP_PERFMON. */
  static async open(options: DropOptions = {}): Promise<NativeDropSource> {
    const drops = new (loadAddon().Drops)()
    await told(drops.load(options.asBefore611 ?? false), remedyFor)
    return new NativeDropSource(drops)
  }

  watch(attached: AttachRequest): Promise<number> {
    return told(this.#drops.watch(attached), remedyFor)
  }

  unwatch(watch: number): Promise<void> {
    return told(this.#drops.unwatch(watch), remedyFor)
  }

  read(): Promise<DropReading> {
    return told(this.#drops.read(), remedyFor)
  }

  close(): Promise<void> {
    return told(this.#drops.close(), remedyFor)
  }
}
