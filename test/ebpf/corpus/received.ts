// What a receiver's hook gets of a frame: its first tag is off already, and remembered.
import { Tag } from '../../support/packet.ts'
import { expectedOf } from '../packet-model.ts'
import type { Case } from './case.ts'

const TYPE = 12
const TAG_BYTES = 4
/** Below, the kernel drops the frame where it takes the tag off (skb_vlan_untag, net/core/skbuff.c). */
const SHORTEST_TAGGED_BYTES = 20

/** undefined: nobody gets it. */
export function receivedOf(sent: Case): Case | undefined {
  const type = (sent.bytes[TYPE]! << 8) | sent.bytes[TYPE + 1]!
  if (type !== Tag.customer && type !== Tag.service) return sent
  if (sent.bytes.length < SHORTEST_TAGGED_BYTES) return undefined
  const bytes = Buffer.concat([sent.bytes.subarray(0, TYPE), sent.bytes.subarray(TYPE + TAG_BYTES)])
  const received = { ...sent, bytes, metadataTag: true }
  return { ...received, expected: expectedOf(bytes, received) }
}
