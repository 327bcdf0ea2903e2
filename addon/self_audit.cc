#include "self_audit.h"

#include "amounts.h"
#include "probe.h"
#include "slot_view.h"

namespace podweir {
namespace {

uint64_t Rest(const direction_totals& totals, bool packets) {
  return packets ? totals.other_packets + totals.overflow_packets + totals.filtered_packets
                 : totals.other_bytes + totals.overflow_bytes + totals.filtered_bytes;
}

}  // namespace

SelfAudit::SelfAudit(Probe& probe, uint32_t every) : probe_(probe), every_(every), retired_(INTERFACE_SLOTS) {}

void SelfAudit::AddRetired(const flow_slot& slot) { Add(retired_[InterfaceOf(First(slot))], CountsOf(slot)); }

void SelfAudit::Adopt(uint32_t interface_slot, const Retired& retired) { retired_[interface_slot] = CountsOf(retired); }

// A program adds to `seen` first, then to a slot or to the rest. So whatever `seen` had before the wait is in a slot or
// in the rest after it; and whatever the scan and the rest then have, a later `seen` has too.
void SelfAudit::RunIfDue() {
  if (!every_ || ++drains_ % every_) return;
  interfaces_ = probe_.AttachedSlots();
  CountsOfInterfaces seen_before = Read(true);
  if (!probe_.WaitForPrograms().ok()) return;
  CountsOfInterfaces rest_before = Read(false);
  CountsOfInterfaces flows = InFlows();
  CountsOfInterfaces rest_after = Read(false);
  CountsOfInterfaces seen_after = Read(true);
  for (uint32_t slot : interfaces_)
    for (flow_direction direction : {FROM_POD, TO_POD})
      for (auto [unit, amounts] : {Measure{"packets", &Amounts::packets}, Measure{"bytes", &Amounts::bytes}}) {
        uint64_t least = (seen_before[slot].*amounts)[direction] - (rest_before[slot].*amounts)[direction];
        uint64_t most = (seen_after[slot].*amounts)[direction] - (rest_after[slot].*amounts)[direction];
        if (!Fits(slot, direction, unit, (flows[slot].*amounts)[direction], least, most)) break;
      }
  result_.audits++;
}

SelfAudit::CountsOfInterfaces SelfAudit::Read(bool seen) const {
  CountsOfInterfaces read(INTERFACE_SLOTS);
  for (uint32_t slot : interfaces_) {
    interface_totals totals = probe_.Totals(slot);
    for (int direction = 0; direction < DIRECTIONS; direction++) {
      const direction_totals& from = totals.direction[direction];
      read[slot].packets[direction] = seen ? from.seen_packets : Rest(from, true);
      read[slot].bytes[direction] = seen ? from.seen_bytes : Rest(from, false);
    }
  }
  return read;
}

SelfAudit::CountsOfInterfaces SelfAudit::InFlows() const {
  CountsOfInterfaces flows = retired_;
  for (uint32_t i = 0; i < probe_.slot_count(); i++) {
    const flow_slot& slot = probe_.slots()[i];
    if (ReadOnce(First(slot).state) != SLOT_FREE) Add(flows[InterfaceOf(First(slot))], CountsOf(slot));
  }
  return flows;
}

// A difference below 0 wraps: the totals are too small, and the sentence shows it.
bool SelfAudit::Fits(uint32_t interface_slot, flow_direction direction, const char* unit, uint64_t flows,
                     uint64_t least, uint64_t most) {
  auto at_least = static_cast<int64_t>(least), at_most = static_cast<int64_t>(most);
  auto counted = static_cast<int64_t>(flows);
  if (counted >= at_least && counted <= at_most) return true;
  result_.violations++;
  result_.newest = "interface " + std::to_string(interface_slot) +
                   (direction == FROM_POD ? " from the pod: " : " to the pod: ") + std::to_string(counted) + " " +
                   unit + " in flows, totals say " + std::to_string(at_least) + " to " + std::to_string(at_most);
  return false;
}

}  // namespace podweir
