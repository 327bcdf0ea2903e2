// One interface's figures out of a batch, and sources that a test opens and always closes.
import { type DirectionColumns, type FlowBatch, PACKET_CLASSES } from '../../lib/capture/flow-batch.ts'
import { NativeProbeSource, RETIRE_TIMES } from '../../lib/capture/native-probe.ts'

type ClassColumn = 'classPackets' | 'classBytes'

export type DirectionRow = { readonly [Column in Exclude<keyof DirectionColumns, ClassColumn>]: number } & {
  /** In the order of `packetClasses`. */
  readonly [Column in ClassColumn]: readonly number[]
}

export interface InterfaceRow {
  readonly ended: boolean
  readonly devicePresent: boolean
  readonly condition: number
  readonly fromPod: DirectionRow
  readonly toPod: DirectionRow
}

/** undefined: the batch has no row of this interface. */
export function interfaceRow({ interfaces }: FlowBatch, interfaceSlot: number): InterfaceRow | undefined {
  const i = interfaces.interfaceSlot.indexOf(interfaceSlot)
  if (i < 0) return undefined
  const { ended, devicePresent, condition, fromPod, toPod } = interfaces
  return {
    ended: ended[i] === 1,
    devicePresent: devicePresent[i] === 1,
    condition: condition[i]!,
    fromPod: directionRow(fromPod, i),
    toPod: directionRow(toPod, i),
  }
}

function directionRow({ classPackets, classBytes, ...columns }: DirectionColumns, i: number): DirectionRow {
  const classes = (column: Float64Array) => [...column.subarray(i * PACKET_CLASSES, (i + 1) * PACKET_CLASSES)]
  const numbers = Object.entries(columns).map(([name, column]) => [name, column[i]])
  const rows = [['classPackets', classes(classPackets)], ['classBytes', classes(classBytes)], ...numbers]
  return Object.fromEntries(rows) as DirectionRow
}

/** Drains and gives the interface's row. */
export async function drainRow(source: NativeProbeSource, interfaceSlot: number): Promise<InterfaceRow> {
  const row = interfaceRow(await source.drain(), interfaceSlot)
  if (!row) throw new Error(`the batch has no row of interface ${interfaceSlot}`)
  return row
}

/** skbs that we saw: what the pod sent, what it got. */
export async function drainSkbs(source: NativeProbeSource, interfaceSlot: number): Promise<[number, number]> {
  const { fromPod, toPod } = await drainRow(source, interfaceSlot)
  return [fromPod.skbs, toPod.skbs]
}

export class Sources {
  readonly #open: NativeProbeSource[] = []

  async open(): Promise<NativeProbeSource> {
    const source = await NativeProbeSource.open({ flowLimit: 1024, retire: RETIRE_TIMES, auditEvery: 0 })
    this.#open.push(source)
    return source
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map(source => source.close()))
  }
}
