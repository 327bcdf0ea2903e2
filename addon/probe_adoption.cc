// What a probe finds pinned of the one before it, and how it goes on from there.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstring>
#include <set>
#include <vector>

#include "amounts.h"
#include "chain.h"
#include "flow.skel.h"
#include "probe.h"
#include "slot_view.h"
#include "sweep.h"

namespace podweir {

void Probe::Zero(uint32_t slot, uint32_t next_generation) {
  slots()[slot] = flow_slot{};
  details()[slot] = flow_details{};
  details()[slot].identity.generation = next_generation;
}

bool Probe::Recycle(uint32_t slot, uint32_t interface_slot) {
  bool collapsed = slot >= flow_limit();
  const auto& maps = skeleton_->maps;
  // Everything before must be visible before a program can pop the slot; the syscall is a full barrier.
  if (bpf_map_update_elem(bpf_map__fd(collapsed ? maps.free_collapsed : maps.free_slots), nullptr, &slot, BPF_ANY))
    return false;
  CountRecycled(collapsed, interface_slot);
  return true;
}

// Only we write what was retired.
void Probe::CountRecycled(bool collapsed, uint32_t interface_slot) {
  for (slot_use* of : {&use()[interface_slot], &use()[0]}) {
    __u32& counter = collapsed ? of->collapsed_retired : of->retired;
    __atomic_store_n(&counter, counter + 1, __ATOMIC_RELAXED);
  }
}

// The agent before was killed while it gave back a slot.
void Probe::EndReturn() {
  const RetireIntent intent = journal_->intent();
  if (intent.step == kNoSlot || intent.slot >= slot_count_) return;
  if (intent.step == kZeroing) {
    Zero(intent.slot, intent.generation);
    journal_->Zeroed();
    Recycle(intent.slot, intent.interface_slot);
  } else if (ReadOnce(First(slots()[intent.slot]).state) != SLOT_FREE) {
    CountRecycled(intent.slot >= flow_limit(), intent.interface_slot);
  }
  // Otherwise nobody knows whether it is back in its stack: twice there would be two flows in one slot, so it stays
  // out.
  journal_->Returned();
}

void Probe::AdoptInterfaces() {
  std::map<unsigned long, std::string> namespaces{{NamespaceInode(""), ""}};
  for (const NamespaceEntry& entry : ListNamespaces()) namespaces.emplace(entry.inode, entry.path);
  bool may_have_filters = false;
  for (uint32_t slot = 1; slot < INTERFACE_SLOTS; slot++) {
    const InterfaceRecord& record = journal_->record(slot);
    if (record.state == kNoInterface) continue;
    may_have_filters |= record.is_clsact || record.state == kAttaching;
    last_interface_slot_ = slot;
    AdoptInterface(slot, namespaces);
  }
  if (may_have_filters) {
    // A filter that nobody adopted would go on counting under a number that is given to another interface.
    std::set<uint32_t> ours;
    for (auto& [slot, interface] : interfaces_)
      if (interface.state == InterfaceState::kUnclaimed)
        for (flow_direction direction : {FROM_POD, TO_POD})
          ours.insert(ProgramId(interface.attachment->program(direction)));
    SweepFilters(namespaces_, ours);
  }
  WaitForPrograms();
  SumUp();
}

Interface Probe::RestoreInterface(uint32_t slot) {
  const InterfaceRecord& record = journal_->record(slot);
  Interface interface;
  interface.slot = slot;
  interface.attached_at_ms = record.attached_at_ms;
  interface.pod_index = record.pod_index;
  interface.pod_namespace_id = record.pod_namespace_id;
  interface.pod_address = std::string(record.pod_address, strnlen(record.pod_address, sizeof(record.pod_address)));
  interface.baseline.pod = record.baseline_pod;
  interface.baseline.host = record.baseline_host;
  interface.baseline.exact = record.baseline_exact;
  interface.baseline.taken = true;
  const DeviceReading& reading = record.readings[record.reading & 1];
  interface.last = reading.device;
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    interface.kind[direction] = static_cast<CounterKind>(record.kind[direction]);
    interface.baseline.unobserved[direction] = record.unobserved[direction];
    interface.overseen[direction] = reading.overseen[direction];
    interface.bypassed[direction] = reading.bypassed[direction];
    interface.missed[direction] = reading.missed[direction];
  }
  return interface;
}

Continued Probe::ContinuedFrom(uint32_t slot) {
  const InterfaceRecord& record = journal_->record(slot);
  Continued continued;
  continued.slot = slot;
  continued.drained = record.retired;
  continued.reading = record.readings[record.reading & 1];
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    continued.kind[direction] = static_cast<CounterKind>(record.kind[direction]);
    continued.unobserved[direction] = record.unobserved[direction];
  }
  return continued;
}

void Probe::AdoptInterface(uint32_t slot, const std::map<unsigned long, std::string>& namespaces) {
  const InterfaceRecord& record = journal_->record(slot);
  Interface interface = RestoreInterface(slot);
  auto netns = namespaces.find(record.namespace_inode);
  if (record.state == kObserved && netns != namespaces.end()) {
    auto adopted = Attachment::Adopt(record, slot, netns->second, MapsOfDispatchers(), namespaces_, *pins_);
    Result<Netlink> netlink = Netlink::Open();
    if (adopted.ok() && netlink.ok()) {
      interface.attachment = std::move(*adopted);
      if (!record.at_host && !netns->second.empty())
        interface.pod_namespace_id = NamespaceId(*netlink, netns->second, true);
      ReadDevice(interface, *netlink);
    }
  }
  bool told = record.state == kOver && journal_->ledger_sequence() >= record.ended_in;
  if (interface.attachment && interface.present) {
    interface.state = InterfaceState::kUnclaimed;
  } else {
    interface.attachment = Attachment::Gone(record, slot, namespaces_, *pins_);
    interface.attachment->Unhook();
    interface.present = false;
    interface.state = told ? InterfaceState::kOver : InterfaceState::kEnding;
  }
  if (!told) adoption_.interfaces.push_back(ContinuedFrom(slot));
  interfaces_[slot] = std::move(interface);
}

// What earlier agents told, and what of it was lost with them. A flow whose interface can't be claimed any more has no
// name: what of it was not delivered is lost.
void Probe::SumUp() {
  Add(adoption_.drained, CountsOf(journal_->retired()));
  adoption_.restart = journal_->LostInRetired(details());
  std::vector<Continued*> continued(INTERFACE_SLOTS);
  for (Continued& each : adoption_.interfaces) continued[each.slot] = &each;
  for (uint32_t slot = 0; slot < slot_count_; slot++) {
    if (ReadOnce(First(slots()[slot]).state) == SLOT_FREE) continue;
    uint32_t interface_slot = InterfaceOf(First(slots()[slot]));
    Amounts delivered = CountsOf(journal_->Delivered(slot, details()[slot].identity.generation));
    Amounts now = CountsOf(slots()[slot]);
    bool lost = !IsUnclaimed(interface_slot);
    if (lost) Add(adoption_.restart, Less(now, delivered));
    const Amounts& counted = lost ? now : delivered;
    Add(adoption_.drained, counted);
    if (Continued* of = continued[interface_slot])
      Add(slot < flow_limit() ? of->drained.flows : of->drained.collapsed, counted);
  }
}

bool Probe::IsUnclaimed(uint32_t interface_slot) const {
  auto found = interfaces_.find(interface_slot);
  return found != interfaces_.end() && found->second.state == InterfaceState::kUnclaimed;
}

Interface* Probe::FindUnclaimed(const AttachRequest& request) {
  if (!adoption_.adopted) return nullptr;
  unsigned long inode = NamespaceInode(request.netns);
  for (auto& [slot, interface] : interfaces_) {
    if (interface.state != InterfaceState::kUnclaimed) continue;
    const Attachment& attachment = *interface.attachment;
    bool same_hook = request.hook == Hook::kAuto || request.hook == attachment.hook();
    if (attachment.namespace_inode() == inode && attachment.request().place == request.place && same_hook &&
        attachment.IsAt(request.netns, request.device))
      return &interface;
  }
  return nullptr;
}

void Probe::DetachUnclaimed() {
  std::lock_guard lock(mutex_);
  for (auto& [slot, interface] : interfaces_)
    if (interface.state == InterfaceState::kUnclaimed) interface.state = InterfaceState::kEnding;
}

void Probe::RecordAttached(const Interface& interface) {
  if (!journal_) return;
  InterfaceRecord& record = journal_->record(interface.slot);
  interface.attachment->Describe(record);
  record.attached_at_ms = interface.attached_at_ms;
  record.pod_index = interface.pod_index;
  record.pod_namespace_id = interface.pod_namespace_id;
  interface.pod_address.copy(record.pod_address, sizeof(record.pod_address) - 1);
  record.baseline_pod = interface.baseline.pod;
  record.baseline_host = interface.baseline.host;
  record.baseline_exact = interface.baseline.exact;
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    record.kind[direction] = static_cast<uint8_t>(interface.kind[direction]);
    record.unobserved[direction] = interface.baseline.unobserved[direction];
  }
  Record(interface, Totals(interface.slot));
  __atomic_store_n(&record.state, static_cast<uint32_t>(kObserved), __ATOMIC_RELEASE);
}

void Probe::Record(const Interface& interface, const interface_totals& totals) {
  if (!journal_) return;
  InterfaceRecord& record = journal_->record(interface.slot);
  uint32_t next = record.reading ^ 1;
  DeviceReading& reading = record.readings[next];
  reading.device = interface.last;
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    reading.skbs[direction] = totals.direction[direction].skbs;
    reading.packets[direction] = totals.direction[direction].seen_packets;
    reading.overseen[direction] = interface.overseen[direction];
    reading.bypassed[direction] = interface.bypassed[direction];
    reading.missed[direction] = interface.missed[direction];
  }
  __atomic_store_n(&record.reading, next, __ATOMIC_RELEASE);
}

}  // namespace podweir
