// How user space looks at a slot while the kernel writes to it.
#ifndef PODWEIR_SLOT_VIEW_H
#define PODWEIR_SLOT_VIEW_H

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "flow.h"

namespace podweir {

template <typename T>
T ReadOnce(const T& value) {
  return __atomic_load_n(&value, __ATOMIC_RELAXED);
}

// What a counter of any width gained since it was last seen.
template <typename T>
T Gained(T& seen, T now) {
  T gained = static_cast<T>(now - seen);
  seen = now;
  return gained;
}

// Both directions have the key and the state; what looks for live flows looks here.
inline const flow_half& First(const flow_slot& slot) { return slot.half[FROM_POD]; }

inline bool IsReplaced(uint8_t state) { return state & SLOT_REPLACED; }
inline bool IsIpv4(uint8_t state) { return (state & ~(SLOT_RETIRING | SLOT_REPLACED)) == SLOT_IPV4; }

// Behind the addresses both keys are the same, and so is what a half has of them.
static_assert(offsetof(flow_key6, flags) - offsetof(flow_key6, local_port) ==
              offsetof(flow_key4, flags) - offsetof(flow_key4, local_port));
// An index: whatever else may be in a slot, this one is in range.
inline uint16_t InterfaceOf(const flow_half& flow) { return flow.key4.interface_slot % INTERFACE_SLOTS; }
inline uint8_t ProtocolOf(const flow_half& flow) { return flow.key4.protocol; }
inline uint8_t FlagsOf(const flow_half& flow) { return flow.key4.flags; }

// Of either family, zero behind an IPv4 key.
inline flow_key6 KeyOf(const flow_slot& slot, const flow_details& details) {
  if (!IsIpv4(First(slot).state)) return details.key6;
  flow_key6 key{};
  memcpy(&key, &First(slot).key4, sizeof(flow_key4));
  return key;
}

}  // namespace podweir

#endif
