#include "account.h"

#include <cstring>

namespace podweir {
namespace {

Count CountOf(double packets, double bytes) { return {static_cast<uint64_t>(packets), static_cast<uint64_t>(bytes)}; }

}  // namespace

void Account::Add(const DrainResult& batch) {
  const StartedRows& started = batch.started;
  for (size_t i = 0; i < started.slot.size(); i++) {
    FlowAccount& flow = flows_[{started.slot[i], started.generation[i]}];
    flow.interface_slot = started.interface_slot[i];
    flow.local_port = started.local_port[i];
    flow.remote_port = started.remote_port[i];
    flow.family = started.family[i];
    flow.protocol = started.protocol[i];
    flow.flags = started.flags[i];
    memcpy(flow.local.data(), &started.local_address[i * flow.local.size()], flow.local.size());
    memcpy(flow.remote.data(), &started.remote_address[i * flow.remote.size()], flow.remote.size());
  }
  const FlowRows& flows = batch.flows;
  for (size_t i = 0; i < flows.slot.size(); i++)
    for (int direction = 0; direction < DIRECTIONS; direction++)
      flows_[{flows.slot[i], flows.generation[i]}].counted[direction] +=
          CountOf(flows.packets[direction][i], flows.bytes[direction][i]);
  const InterfaceRows& rows = batch.interfaces;
  for (size_t i = 0; i < rows.interface_slot.size(); i++) {
    InterfaceAccount& interface = interfaces_[rows.interface_slot[i]];
    interface.ended = rows.ended[i];
    for (int direction = 0; direction < DIRECTIONS; direction++) {
      const DirectionRows& from = rows.direction[direction];
      interface.seen[direction] = CountOf(from.seen_packets[i], from.seen_bytes[i]);
      interface.other[direction] = CountOf(from.other_packets[i], from.other_bytes[i]);
      interface.overflow[direction] = CountOf(from.overflow_packets[i], from.overflow_bytes[i]);
      interface.filtered[direction] = CountOf(from.filtered_packets[i], from.filtered_bytes[i]);
      for (size_t each = 0; each < PACKET_CLASSES; each++)
        interface.classes[direction][each] =
            CountOf(from.class_packets[i * PACKET_CLASSES + each], from.class_bytes[i * PACKET_CLASSES + each]);
      interface.skbs[direction] = static_cast<uint64_t>(from.skbs[i]);
      interface.device[direction] = static_cast<uint64_t>(from.device_packets[i]);
    }
  }
}

template <typename Wanted>
Count Account::Sum(flow_direction direction, const Wanted& wanted) const {
  Count sum;
  for (auto& [place, flow] : flows_)
    if (wanted(flow)) sum += flow.counted[direction];
  return sum;
}

Count Account::Flows(uint16_t interface_slot, flow_direction direction) const {
  return Sum(direction, [&](const FlowAccount& flow) { return flow.interface_slot == interface_slot; });
}

Count Account::Flows(uint16_t interface_slot, flow_direction direction, uint8_t protocol, uint8_t family) const {
  return Sum(direction, [&](const FlowAccount& flow) {
    return flow.interface_slot == interface_slot && flow.protocol == protocol && flow.family == family;
  });
}

}  // namespace podweir
