// What the headers of a connection tell of packets that we did not see.
#ifndef PODWEIR_UNSEEN_H
#define PODWEIR_UNSEEN_H

#include <cstdint>

#include "slot_view.h"

namespace podweir {

// The pod acknowledges what never came by our hook: a SYN-ACK or a SYN, or data beyond the highest byte that did.
inline bool AcknowledgesUnseen(const flow_slot& slot) {
  const flow_half &pod = slot.half[FROM_POD], &other = slot.half[TO_POD];
  // In this order: a packet comes by before it is acknowledged.
  uint8_t known = ReadOnce(pod.known), epoch = ReadOnce(pod.epoch);
  uint32_t acknowledged = ReadOnce(pod.acknowledged);
  if (!ReadOnce(other.packets)) return known & KNOWN_SYN_ACK || (known & KNOWN_SYN && known & KNOWN_ACK);
  if (!(known & KNOWN_ACK) || !epoch || !(ReadOnce(other.known) & KNOWN_SEQUENCE) || ReadOnce(other.epoch) != epoch)
    return false;
  // One more may be a FIN that came with data which was sent again.
  return static_cast<int32_t>(acknowledged - ReadOnce(other.next_sequence)) > 1;
}

}  // namespace podweir

#endif
