// What the running kernel's types (BTF) say of its tracepoint kfree_skb: whether it names a reason, and the names.
#ifndef PODWEIR_DROP_REASONS_H
#define PODWEIR_DROP_REASONS_H

#include <cstdint>
#include <map>
#include <string>

#include "status.h"

namespace podweir {

struct DropReasons {
  bool has_receiver = false;       // the tracepoint also names the socket that was to receive the packet
  uint32_t consumed = UINT32_MAX;  // the number that means "not dropped", where the kernel has one
  std::map<uint32_t, std::string> names;

  // The kernel's word in lower case, `subsystem_1_2` for a reason that a module numbered.
  std::string NameOf(uint32_t reason) const;
};

// Fails where this kernel tells no reason; the detail says what it lacks.
Result<DropReasons> ReadDropReasons();

}  // namespace podweir

#endif
