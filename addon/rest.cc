#include "rest.h"

#include <utility>

namespace podweir {
namespace {

constexpr uint32_t kStillReadings = 3;
constexpr uint32_t kLookEvery = 5, kLookAtHooksEvery = 10;
// Those that came to rest together are not read together.
constexpr uint32_t kReadEvery = 20, kSpread = 10;

// The pair's end in our own namespace, 0 when it has none there.
int OtherEnd(const Interface& interface, Netlink& netlink) {
  const Attachment& attachment = *interface.attachment;
  if (attachment.request().place == Place::kHost) return attachment.link().index;
  if (attachment.link().kind != "veth") return 0;
  Result<LinkReading> other = ReadLink(netlink, -1, attachment.link().peer_index);
  // Indexes repeat in other namespaces.
  bool is_pair = other.ok() && other->link.kind == "veth" && other->link.peer_index == interface.pod_index &&
                 other->link.peer_namespace_id == interface.pod_namespace_id;
  return is_pair ? other->link.index : 0;
}

}  // namespace

bool HasRested(const Interface& interface) { return interface.still_readings > kStillReadings; }

void Rest::Begin(Netlink& netlink) {
  skbs_ = probe_.CountedSkbs();
  bool any = false;
  for (auto& [slot, interface] : probe_.interfaces()) any |= interface.still_readings > 0;
  counters_.clear();
  if (!any) return;
  Result<std::unordered_map<int, DeviceCounters>> counters = ListCounters(netlink);
  if (counters.ok()) counters_ = std::move(*counters);
}

bool Rest::Has(Interface& interface, Netlink& netlink) {
  Sight other_end = LookAtOtherEnd(interface, netlink);
  bool still = interface.still_readings >= kStillReadings && other_end != Sight::kMoved;
  for (flow_direction direction : {FROM_POD, TO_POD})
    still &= skbs_[interface.slot][direction] == interface.looked_at_skbs[direction];
  uint32_t most = other_end == Sight::kNone ? kLookEvery - 1 : kReadEvery + interface.slot % kSpread;
  still &= interface.rested_drains < most;
  if (still && (interface.rested_drains + 1) % kLookAtHooksEvery == 0) still = Probe::IsHooked(interface);
  interface.rested_drains = still ? interface.rested_drains + 1 : 0;
  return still;
}

// Looked at before the device is read: what moves from here on is seen in the next drain.
Rest::Sight Rest::LookAtOtherEnd(Interface& interface, Netlink& netlink) {
  std::optional<DeviceCounters> before = std::exchange(interface.other_end_counted, std::nullopt);
  if (interface.still_readings == 0 || counters_.empty()) return Sight::kNone;
  if (interface.other_end < 0) interface.other_end = OtherEnd(interface, netlink);
  if (interface.other_end == 0) return Sight::kNone;
  auto now = counters_.find(interface.other_end);
  // Gone, and the pair with it.
  if (now == counters_.end()) return Sight::kMoved;
  interface.other_end_counted = now->second;
  return before && SameCounts(*before, now->second) ? Sight::kSame : Sight::kMoved;
}

}  // namespace podweir
