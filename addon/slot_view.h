// How user space looks at a slot while the kernel writes to it.
#ifndef PODWEIR_SLOT_VIEW_H
#define PODWEIR_SLOT_VIEW_H

#include <cstdint>

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
inline const flow_counters& First(const flow_slot& slot) { return slot.half[FROM_POD].counters; }

inline bool IsReplaced(uint8_t state) { return state & SLOT_REPLACED; }
inline bool IsIpv4(uint8_t state) { return (state & ~(SLOT_RETIRING | SLOT_REPLACED)) == SLOT_IPV4; }

// What the two keys have in common, wherever it is in them.
inline uint16_t InterfaceOf(const flow_counters& flow) {
  return IsIpv4(flow.state) ? flow.key4.interface_slot : flow.key6.interface_slot;
}
inline uint8_t ProtocolOf(const flow_counters& flow) {
  return IsIpv4(flow.state) ? flow.key4.protocol : flow.key6.protocol;
}
inline uint8_t FlagsOf(const flow_counters& flow) { return IsIpv4(flow.state) ? flow.key4.flags : flow.key6.flags; }

}  // namespace podweir

#endif
