#include "interface_rows.h"

namespace podweir {
namespace {

void Add(std::vector<double>& column, uint64_t value) { column.push_back(static_cast<double>(value)); }

// The kernel counts what is rare: the class of every other packet is what is left.
void AddClasses(const __u64 (&counted)[PACKET_CLASSES], uint64_t seen, std::vector<double>& column) {
  uint64_t rare = 0;
  for (int i = 0; i < CLASS_FLOW; i++) {
    Add(column, counted[i]);
    rare += counted[i];
  }
  Add(column, seen > rare ? seen - rare : 0);
}

// Numbers of lib/capture/flow-batch.ts.
enum Condition : uint8_t { kRemoved = 1, kBypassed = 2 };

uint8_t ConditionOf(const Interface& interface) {
  bool removed = !interface.hooked[FROM_POD] || !interface.hooked[TO_POD];
  bool bypassed = interface.passed_by || interface.bypassed[FROM_POD] || interface.bypassed[TO_POD];
  return static_cast<uint8_t>((removed ? kRemoved : 0) | (bypassed ? kBypassed : 0));
}

}  // namespace

void AddInterface(const Interface& interface, const interface_totals& totals, const class_totals& classes,
                  InterfaceRows& rows) {
  rows.interface_slot.push_back(static_cast<uint16_t>(interface.slot));
  rows.ended.push_back(interface.state == InterfaceState::kEnding);
  rows.device_present.push_back(interface.present);
  rows.condition.push_back(ConditionOf(interface));
  for (int i = 0; i < DIRECTIONS; i++) {
    const direction_totals& from = totals.direction[i];
    DirectionRows& to = rows.direction[i];
    Add(to.skbs, from.skbs);
    Add(to.skb_bytes, from.skb_bytes);
    Add(to.seen_packets, from.seen_packets);
    Add(to.seen_bytes, from.seen_bytes);
    Add(to.other_packets, from.other_packets);
    Add(to.other_bytes, from.other_bytes);
    Add(to.overflow_packets, from.overflow_packets);
    Add(to.overflow_bytes, from.overflow_bytes);
    Add(to.filtered_packets, from.filtered_packets);
    Add(to.filtered_bytes, from.filtered_bytes);
    AddClasses(classes.packets[i], from.seen_packets, to.class_packets);
    AddClasses(classes.bytes[i], from.seen_bytes, to.class_bytes);
    Add(to.device_packets, i == FROM_POD ? interface.last.tx_packets : interface.last.rx_packets);
    Add(to.overseen_skbs, interface.overseen[i]);
    Add(to.unobserved_skbs, interface.baseline.unobserved[i] + interface.bypassed[i] + interface.missed[i]);
  }
}

}  // namespace podweir
