// Delivers what comes into one device to a pod, as a CNI's program does instead of a bridge.
import { readFileSync } from 'node:fs'
import { KernelObject, key32, readMap, writeMap } from './kernel.ts'

export class Redirector {
  readonly #object = new KernelObject('redirect')

  /** `way`: to the pod's end at once (`to_peer`), or out of the host's end (`to_neighbour`). Both ends are host devices. */
  constructor(from: string, to: string, way: 'to_peer' | 'to_neighbour') {
    try {
      const value = new BigUint64Array([BigInt(readFileSync(`/sys/class/net/${to}/ifindex`, 'utf8').trim()), 0n])
      writeMap(this.#object.maps.redirections!, key32(0), new Uint8Array(value.buffer))
      this.#object.hook(way, { device: from, direction: 'ingress', where: 'tcx-tail' })
    } catch (error) {
      this.close()
      throw error
    }
  }

  get redirected(): number {
    const value = readMap(this.#object.maps.redirections!, key32(0))!
    return Number(new DataView(value.buffer, value.byteOffset).getBigUint64(8, true))
  }

  close(): void {
    this.#object.close()
  }
}
