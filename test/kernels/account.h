// Adds up what drains hand over, as the agent does: flows by interface and direction, interfaces as last seen.
#ifndef PODWEIR_KERNELS_ACCOUNT_H
#define PODWEIR_KERNELS_ACCOUNT_H

#include <array>
#include <cstdint>
#include <map>

#include "drain.h"

namespace podweir {

inline DrainOptions RetireAfter(int64_t ms) { return {{ms, ms, ms, ms, ms, ms, ms}}; }

// A guest lives for seconds.
inline DrainOptions NothingRetires() { return RetireAfter(600'000); }

struct Count {
  uint64_t packets = 0, bytes = 0;

  bool operator==(const Count&) const = default;
  Count& operator+=(const Count& more) {
    packets += more.packets;
    bytes += more.bytes;
    return *this;
  }
};

struct FlowAccount {
  uint16_t interface_slot = 0, local_port = 0, remote_port = 0;
  uint8_t family = 0, protocol = 0, flags = 0;
  std::array<uint8_t, 16> local{}, remote{};
  Count counted[DIRECTIONS];
};

struct InterfaceAccount {
  Count seen[DIRECTIONS], other[DIRECTIONS], overflow[DIRECTIONS], filtered[DIRECTIONS];
  Count classes[DIRECTIONS][PACKET_CLASSES];
  uint64_t skbs[DIRECTIONS] = {}, device[DIRECTIONS] = {};
  bool ended = false;
};

class Account {
 public:
  void Add(const DrainResult& batch);

  const InterfaceAccount& Of(uint16_t interface_slot) { return interfaces_[interface_slot]; }
  Count Flows(uint16_t interface_slot, flow_direction direction) const;
  Count Flows(uint16_t interface_slot, flow_direction direction, uint8_t protocol, uint8_t family) const;
  // The flow that uses a slot now.
  const FlowAccount& At(uint32_t slot, uint32_t generation) { return flows_[{slot, generation}]; }
  size_t flows() const { return flows_.size(); }

 private:
  template <typename Wanted>
  Count Sum(flow_direction direction, const Wanted& wanted) const;

  std::map<std::pair<uint32_t, uint32_t>, FlowAccount> flows_;
  std::map<uint16_t, InterfaceAccount> interfaces_;
};

}  // namespace podweir

#endif
