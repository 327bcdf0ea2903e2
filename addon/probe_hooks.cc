// The probe's watch over its hooks: others may take our programs off an interface, and then they are hooked again.
#include <algorithm>
#include <cerrno>

#include "clock.h"
#include "probe.h"

namespace podweir {
namespace {

constexpr int64_t kLookEveryMs = 30'000;
constexpr uint32_t kUnseenDrains = 2;

bool AnyMissing(const Attachment::Places& hooked) { return !hooked[FROM_POD] || !hooked[TO_POD]; }

}  // namespace

// A tcx link has no device any more when the device is gone, and when somebody has detached it.
bool Probe::LostDevice(Interface& interface) {
  Attachment& attachment = *interface.attachment;
  // During an attach there is nothing yet that could be gone.
  if (attachment.hook() != Hook::kTcx || AnyMissing(interface.hooked)) return false;
  return !IsHooked(interface) && !attachment.HasDevice();
}

bool Probe::IsHooked(Interface& interface) {
  Attachment& attachment = *interface.attachment;
  if (attachment.hook() == Hook::kTcx && !AnyMissing(interface.hooked)) interface.hooked = attachment.InPlace();
  return !AnyMissing(interface.hooked);
}

void Probe::CheckHooks(Interface& interface, const interface_totals& totals) {
  Attachment& attachment = *interface.attachment;
  if (!interface.present || interface.state == InterfaceState::kEnding) return;
  const uint64_t now[DIRECTIONS] = {interface.last.tx_packets, interface.last.rx_packets};
  const uint64_t before[DIRECTIONS] = {interface.looked_at.tx_packets, interface.looked_at.rx_packets};
  // Looking at a filter means entering its namespace. Where the device moves and we don't, it is worth it.
  bool suspicious = false, still = true;
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    uint64_t skbs = totals.direction[direction].skbs;
    bool device_moved = now[direction] != before[direction], we_moved = skbs != interface.looked_at_skbs[direction];
    suspicious |= device_moved && !we_moved;
    still &= !device_moved && !we_moved;
    interface.looked_at_skbs[direction] = skbs;
  }
  interface.looked_at = interface.last;
  interface.still_readings = still ? interface.still_readings + 1 : 0;
  int64_t now_ms = MonotonicMs();
  bool due = suspicious || now_ms - interface.looked_at_ms >= kLookEveryMs;
  if (attachment.hook() == Hook::kClsact && !AnyMissing(interface.hooked) && due) {
    interface.looked_at_ms = now_ms;
    interface.hooked = attachment.InPlace();
  }
  CountMissed(interface, totals, interface.hooked);
}

// Where our program is off the interface it can't have seen what the device counted.
void Probe::CountMissed(Interface& interface, const interface_totals& totals, const Attachment::Places& hooked) {
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    if (hooked[direction]) continue;
    const direction_totals& ours = totals.direction[direction];
    // Of a kind that nobody knows the least is claimed.
    uint64_t seen = interface.kind[direction] == CounterKind::kSkb ? ours.skbs : ours.seen_packets;
    uint64_t device = direction == FROM_POD ? interface.last.tx_packets : interface.last.rx_packets;
    uint64_t explained = seen + interface.baseline.unobserved[direction] + interface.bypassed[direction];
    uint64_t missed = Above(device + interface.overseen[direction], explained);
    interface.missed[direction] = std::max(interface.missed[direction], missed);
  }
}

void Probe::CheckBypass(Interface& interface, bool acknowledged_unseen) {
  // What we missed while our programs were off is acknowledged too.
  bool blind = interface.missed[FROM_POD] || interface.missed[TO_POD];
  bool counts = interface.attachment->request().place == Place::kHost && acknowledged_unseen && !blind;
  interface.unseen_drains = counts ? interface.unseen_drains + 1 : 0;
  interface.passed_by |= interface.unseen_drains >= kUnseenDrains;
}

Result<bool> Probe::Reattach(uint32_t interface_slot) {
  std::lock_guard lock(mutex_);
  auto found = interfaces_.find(interface_slot);
  if (found == interfaces_.end() || !found->second.attachment || found->second.state == InterfaceState::kEnding)
    return Failed("attach again", std::to_string(interface_slot), ENOENT);
  Interface& interface = found->second;
  const Attachment::Places before = interface.attachment->InPlace();
  if (!AnyMissing(before)) {
    interface.hooked = before;
    return false;
  }
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  interface.hooked = before;
  ReadDevice(interface, *netlink);
  CountMissed(interface, Totals(interface_slot), before);
  Status status = interface.attachment->Rehook();
  if (!status.ok()) return status;
  interface.hooked = {true, true};
  if (journal_) status = interface.attachment->Pin(*pins_, interface_slot);
  if (!status.ok()) return status;
  RecordAttached(interface);
  // What came before we were back is told from what we have seen since while the device stands still.
  for (int i = 0; i < Baseline::kTries; i++) {
    DeviceCounters last = interface.last;
    interface_totals totals = Totals(interface_slot);
    ReadDevice(interface, *netlink);
    if (!interface.present) break;
    if (!SameCounts(last, interface.last)) continue;
    CountMissed(interface, totals, before);
    break;
  }
  return true;
}

}  // namespace podweir
