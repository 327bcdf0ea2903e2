// The corpus on its way from one end of a veth pair to the other: what is sent, what is expected, what is counted.
import { type FlowBatch, PACKET_CLASSES, packetClasses } from '../../../lib/capture/flow-batch.ts'
import { behindVirtio, type Segmentation } from '../../support/virtio.ts'
import type { PacketClass } from '../packet-model.ts'
import type { Case } from './case.ts'
import { type Direction, FlowSums } from './flow-sums.ts'
import { receivedOf } from './received.ts'

const IPV4_TYPE = 0x0800
const IPV6_TYPE = 0x86dd
const TCP = 6
/** The kernel takes no more than so many datagrams in one skb (UDP_MAX_SEGMENTS, include/linux/udp.h). */
const SMALL_SEGMENT = 100
const UDP = 17

type Amount = readonly [packets: number, bytes: number]

/** Of one direction of an interface. */
export interface Totals {
  readonly skbs: number
  readonly skbBytes: number
  readonly seen: Amount
  readonly other: Amount
  readonly classes: Readonly<Partial<Record<PacketClass, Amount>>>
}

/** How a packet socket has it segmented; undefined: it can't. */
function segmentationOf({ bytes, gsoSize = 0, expected }: Case): Segmentation | undefined {
  const type = (bytes[12]! << 8) | bytes[13]!
  const transportAt = type === IPV4_TYPE && bytes[14] === 0x45 ? 34 : type === IPV6_TYPE ? 54 : 0
  const { flow } = expected
  if (!flow || transportAt === 0 || flow.protocol !== (type === IPV6_TYPE ? bytes[20] : bytes[23])) return undefined
  if (flow.protocol !== TCP && flow.protocol !== UDP) return undefined
  const isTcp = flow.protocol === TCP
  const headersEnd = transportAt + (isTcp ? (bytes[transportAt + 12]! >> 4) * 4 : 8)
  return { kind: isTcp ? `tcp${flow.family}` : 'udp', size: gsoSize, transportAt, headersEnd }
}

/**
 * A tag in metadata can't be sent, and of super-packets only those that the kernel is able to segment; it says itself
 * how many segments there are.
 */
export function isSendable(each: Case): boolean {
  const { gsoSize = 0, valid, expected } = each
  if (each.metadataTag || gsoSize === 0) return !each.metadataTag
  const isSegmentable =
    valid && expected.class === 'flow' && expected.packets > 1 && gsoSize > SMALL_SEGMENT && gsoSize < 0xffff
  return isSegmentable && segmentationOf(each) !== undefined
}

export function frameOf(each: Case): Uint8Array {
  return behindVirtio(each.bytes, each.gsoSize ? segmentationOf(each) : undefined)
}

/** As the hook of the pod's end gets them. */
export function arriving(sent: readonly Case[], direction: Direction): Case[] {
  return direction === 'fromPod' ? [...sent] : sent.flatMap(each => receivedOf(each) ?? [])
}

export function expectedTotals(packets: readonly Case[]): Totals {
  const classes: Partial<Record<PacketClass, [number, number]>> = {}
  let skbBytes = 0
  const seen: [number, number] = [0, 0]
  const other: [number, number] = [0, 0]
  for (const { bytes, expected } of packets) {
    skbBytes += bytes.length
    const sums = expected.flow ? [seen] : [seen, other]
    if (expected.class !== 'flow') {
      classes[expected.class] ??= [0, 0]
      sums.push(classes[expected.class]!)
    }
    for (const sum of sums) {
      sum[0] += expected.packets
      sum[1] += expected.bytes
    }
  }
  return { skbs: packets.length, skbBytes, seen, other, classes }
}

export function expectedFlows(packets: readonly Case[], direction: Direction): FlowSums {
  const flows = new FlowSums()
  for (const { expected } of packets) flows.expect(expected, direction)
  return flows
}

/** Since the interface was attached, without the classes that have nothing. */
export function countedTotals({ interfaces }: FlowBatch, interfaceSlot: number, direction: Direction): Totals {
  const i = interfaces.interfaceSlot.indexOf(interfaceSlot)
  const columns = interfaces[direction]
  const classes = packetClasses.flatMap((name, at) => {
    const amount: Amount = [
      columns.classPackets[i * PACKET_CLASSES + at]!,
      columns.classBytes[i * PACKET_CLASSES + at]!,
    ]
    return amount[0] > 0 && name !== 'flow' ? [[name, amount] as const] : []
  })
  return {
    skbs: columns.skbs[i]!,
    skbBytes: columns.skbBytes[i]!,
    seen: [columns.seenPackets[i]!, columns.seenBytes[i]!],
    other: [columns.otherPackets[i]!, columns.otherBytes[i]!],
    classes: Object.fromEntries(classes),
  }
}
