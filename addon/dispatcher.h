// The few instructions that each interface has of its own: they say which interface it is, then tail-call.
#ifndef PODWEIR_DISPATCHER_H
#define PODWEIR_DISPATCHER_H

#include <cstdint>
#include <string>

#include "flow.h"
#include "handle.h"
#include "status.h"

namespace podweir {

// Its place in the map of shared programs.
constexpr uint32_t PlaceOf(shared_program program, flow_direction direction) {
  return static_cast<uint32_t>(program) + static_cast<uint32_t>(direction);
}

struct DispatcherMaps {
  int scratch = -1;
  int programs = -1;
  // Programs at the same places that packets of remote port DNS_PORT go to first; -1: there are none. Where a place is
  // empty they go on to `programs`.
  int tap = -1;
};

// Kernel name of a dispatcher: by it a filter that a killed agent left behind is known.
constexpr char kDispatcherPrefix[] = "podweir_";
std::string DispatcherName(uint32_t interface_slot, flow_direction direction);

Result<Fd> LoadDispatcher(const DispatcherMaps& maps, uint32_t interface_slot, flow_direction direction);

}  // namespace podweir

#endif
