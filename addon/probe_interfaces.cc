// The probe's interfaces: attach, find the pod's end, read its counters, detach.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "capabilities.h"
#include "clock.h"
#include "flow.skel.h"
#include "probe.h"

namespace podweir {
namespace {

// A namespace's number may be given to another namespace. The address tells them apart, and where addresses repeat a
// counter that fell.
bool IsSameDevice(const Interface& interface, const LinkReading& now) {
  const DeviceCounters& last = interface.last;
  return now.link.address == interface.pod_address && now.counters.tx_packets >= last.tx_packets &&
         now.counters.rx_packets >= last.rx_packets;
}

// Reading another namespace's devices takes a capability; the kernel's refusals differ, and one of them is silence.
Status Unreadable(const char* step, const std::string& subject, int error) {
  std::string missing = MissingCapabilities(kNetAdmin);
  return Failed(step, subject, missing.empty() ? error : EPERM, missing);
}

// Where the sender's stack leaves segmenting to the device the counter is in skbs, unless GRO then merges small ones
// between the device and our hook; where it segments before, the counter is in packets, whatever is merged later.
CounterKind KindOf(const Offloads& sender, bool merged) {
  if (!sender.segments_late) return CounterKind::kWire;
  return merged ? CounterKind::kUnknown : CounterKind::kSkb;
}

}  // namespace

uint32_t Probe::TakeInterfaceSlot() {
  for (uint32_t tries = 1; tries < INTERFACE_SLOTS; tries++) {
    uint32_t slot = 1 + (last_interface_slot_ + tries - 1) % (INTERFACE_SLOTS - 1);
    if (interfaces_.count(slot)) continue;
    last_interface_slot_ = slot;
    return slot;
  }
  return 0;
}

AttachmentInfo Probe::InfoOf(const Interface& interface) const {
  const Attachment& made = *interface.attachment;
  AttachmentInfo info{};
  info.slot = interface.slot;
  info.device = made.link().name;
  info.place = made.request().place;
  info.hook = made.hook();
  info.attached_at_ms = interface.attached_at_ms;
  info.transmit = interface.kind[FROM_POD];
  info.receive = interface.kind[TO_POD];
  info.baseline_exact = interface.baseline.exact;
  info.replaced_stale = made.replaced_stale();
  for (int direction = 0; direction < DIRECTIONS; direction++)
    info.counted_before[direction] = interface.baseline.unobserved[direction];
  return info;
}

Result<AttachmentInfo> Probe::Attach(const AttachRequest& request) {
  uint32_t slot;
  if (Interface* adopted = FindUnclaimed(request)) {
    std::lock_guard lock(mutex_);
    adopted->state = InterfaceState::kAttached;
    adopted->held = request.held;
    AttachmentInfo info = InfoOf(*adopted);
    info.adopted = true;
    return info;
  }
  {
    std::lock_guard lock(mutex_);
    slot = TakeInterfaceSlot();
    if (!slot) return Failed("attach", request.device, ENOSPC, "all interface slots are taken");
    // Holds the slot; a drain passes over an interface without attachment.
    interfaces_[slot].slot = slot;
    if (journal_) journal_->record(slot).state = kAttaching;
  }
  auto give_up = [&](Status status) {
    std::lock_guard lock(mutex_);
    interfaces_.erase(slot);
    if (journal_) journal_->record(slot) = {};
    return status;
  };
  int64_t attached_at_ms = WallMs();
  Result<std::unique_ptr<Attachment>> attachment = Attachment::Create(request, slot, MapsOfDispatchers(), namespaces_);
  if (!attachment.ok()) return give_up(attachment.status);
  Interface interface;
  interface.slot = slot;
  interface.held = request.held;
  interface.attachment = std::move(*attachment);
  interface.attached_at_ms = attached_at_ms;
  Result<Netlink> netlink = Netlink::Open();
  Status status = netlink.ok() ? FindPodEnd(interface, *netlink) : netlink.status;
  if (status.ok() && journal_) status = interface.attachment->Pin(*pins_, slot);
  if (!status.ok()) {
    // It may have counted meanwhile: the next drain ends its flows, and the slot's next interface starts at 0.
    interface.attachment.reset();
    std::lock_guard lock(mutex_);
    interfaces_[slot].state = InterfaceState::kEnding;
    return status;
  }
  TakeBaseline(interface, *netlink);
  RecordAttached(interface);
  AttachmentInfo info = InfoOf(interface);
  std::lock_guard lock(mutex_);
  interfaces_[slot] = std::move(interface);
  return info;
}

// The pod's end is read from our own namespace by the number that its namespace has here: CAP_NET_ADMIN is enough.
Status Probe::FindPodEnd(Interface& interface, Netlink& netlink) {
  const Attachment& attachment = *interface.attachment;
  const Link& link = attachment.link();
  if (attachment.request().place == Place::kHost) {
    interface.pod_namespace_id = link.peer_namespace_id;
    interface.pod_index = link.peer_index;
    Result<LinkReading> pod = ReadLink(netlink, interface.pod_namespace_id, interface.pod_index);
    if (!pod.ok()) return Failed("find pod's end", link.name, pod.status.error);
    interface.pod_address = pod->link.address;
    ReadCounterKinds(interface, ReadOffloads(link.name));
    return Status{};
  }
  interface.pod_index = link.index;
  interface.pod_address = link.address;
  if (!attachment.request().netns.empty()) {
    interface.pod_namespace_id = NamespaceId(netlink, attachment.request().netns, true);
    if (interface.pod_namespace_id < 0) return Unreadable("number namespace", attachment.request().netns, ENOENT);
  }
  // Without its counters nobody would know what we miss.
  Result<LinkReading> pod = ReadLink(netlink, interface.pod_namespace_id, interface.pod_index);
  if (!pod.ok()) return Unreadable("read counters", link.name, pod.status.error);
  Offloads host;
  if (link.kind == "veth") host = HostOffloads(link, attachment.request().netns);
  ReadCounterKinds(interface, host);
  return Status{};
}

// The other end is in our own namespace nearly always; else it is looked for in those that have a name or a process.
Offloads Probe::HostOffloads(const Link& pod_end, const std::string& pod_netns) {
  Offloads offloads;
  auto look = [&] {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return netlink.status;
    Result<LinkReading> found = ReadLink(*netlink, -1, pod_end.peer_index);
    if (!found.ok() || found->link.kind != "veth" || found->link.peer_index != pod_end.index) return Status{};
    // Indexes repeat in other namespaces: the candidate's own number for its peer's namespace must be the pod's.
    int pod_id = pod_netns.empty() ? -1 : NamespaceId(*netlink, pod_netns, false);
    if (found->link.peer_namespace_id == pod_id) offloads = ReadOffloads(found->link.name);
    return Status{};
  };
  look();
  if (offloads.known) return offloads;
  for (const NamespaceEntry& entry : ListNamespaces()) {
    namespaces_.In(entry.path, look);
    if (offloads.known) break;
  }
  return offloads;
}

void Probe::ReadCounterKinds(Interface& interface, const Offloads& host) {
  Attachment& attachment = *interface.attachment;
  if (attachment.link().kind != "veth") return;
  Offloads pod;
  if (attachment.request().place == Place::kPod) {
    attachment.Inside([&] {
      pod = ReadOffloads(attachment.link().name);
      return Status{};
    });
  }
  // Without the right to enter the pod's namespace its features are out of reach, and both directions depend on them.
  if (!pod.known || !host.known) return;
  interface.kind[FROM_POD] = KindOf(pod, host.merges_early && attachment.request().place == Place::kHost);
  interface.kind[TO_POD] = KindOf(host, pod.merges_early);
}

// Exact when nothing moves while both sides are read: what the device counted more than we did came before us.
void Probe::TakeBaseline(Interface& interface, Netlink& netlink) {
  Baseline& baseline = interface.baseline;
  ReadDevice(interface, netlink);
  baseline.pod = interface.last;
  for (int i = 0; i < Baseline::kTries && !baseline.exact; i++) {
    DeviceCounters before = interface.last;
    interface_totals totals = Totals(interface.slot);
    ReadDevice(interface, netlink);
    baseline.exact = interface.present && SameCounts(before, interface.last);
    if (!baseline.exact) continue;
    for (flow_direction direction : {FROM_POD, TO_POD}) {
      const direction_totals& ours = totals.direction[direction];
      uint64_t seen = interface.kind[direction] == CounterKind::kWire ? ours.seen_packets : ours.skbs;
      uint64_t device = direction == FROM_POD ? before.tx_packets : before.rx_packets;
      baseline.unobserved[direction] = Above(device, seen);
    }
  }
  if (!baseline.exact) {
    baseline.unobserved[FROM_POD] = baseline.pod.tx_packets;
    baseline.unobserved[TO_POD] = baseline.pod.rx_packets;
  }
  baseline.pod = interface.last;
  baseline.taken = true;
  for (uint64_t& count : interface.overseen) count = 0;
  for (uint64_t& count : interface.bypassed) count = 0;
}

void Probe::ReadDevice(Interface& interface, Netlink& netlink) {
  // One that is gone does not come back: what looks like it is another.
  if (!interface.present) return;
  Attachment& attachment = *interface.attachment;
  Result<LinkReading> pod = ReadLink(netlink, interface.pod_namespace_id, interface.pod_index);
  interface.present = pod.ok() && IsSameDevice(interface, *pod) && !LostDevice(interface);
  if (!interface.present) return;
  DeviceCounters now = pod->counters;
  if (attachment.request().place == Place::kPod && !pod->link.qdisc.empty() && pod->link.qdisc != "noqueue" &&
      pod->link.qdisc != "noop") {
    attachment.Inside([&] {
      Result<Netlink> inside = Netlink::Open();
      if (inside.ok()) now.qdisc_drops = QdiscDrops(*inside, interface.pod_index);
      return Status{};
    });
  }
  interface.last = now;
  const DeviceCounters& base = interface.baseline.pod;
  if (attachment.request().place == Place::kPod) {
    uint64_t overseen = Above(now.tx_dropped, base.tx_dropped) + Above(now.qdisc_drops, base.qdisc_drops);
    interface.overseen[FROM_POD] = std::max(interface.overseen[FROM_POD], overseen);
    return;
  }
  Result<LinkReading> host = ReadLink(netlink, -1, attachment.link().index);
  if (!host.ok()) return;
  DeviceCounters ours = host->counters;
  ours.qdisc_drops = QdiscDrops(netlink, attachment.link().index);
  DeviceCounters& first = interface.baseline.host;
  if (!interface.baseline.taken) first = ours;
  uint64_t overseen = Above(ours.tx_dropped, first.tx_dropped) + Above(ours.qdisc_drops, first.qdisc_drops);
  interface.overseen[TO_POD] = std::max(interface.overseen[TO_POD], overseen);
  // The pod received more than its host end sent: delivered past it (bpf_redirect_peer).
  uint64_t bypassed = Above(now.rx_packets - base.rx_packets, ours.tx_packets - first.tx_packets);
  interface.bypassed[TO_POD] = std::max(interface.bypassed[TO_POD], bypassed);
}

// The next drain unhooks, takes the interface's last counts and ends its row.
Status Probe::Detach(uint32_t interface_slot) {
  std::lock_guard lock(mutex_);
  auto found = interfaces_.find(interface_slot);
  if (found == interfaces_.end() || !found->second.attachment || found->second.state != InterfaceState::kAttached)
    return Failed("detach", std::to_string(interface_slot), ENOENT);
  found->second.state = InterfaceState::kEnding;
  return Status{};
}

Status Probe::Release(uint32_t interface_slot) {
  std::lock_guard lock(mutex_);
  auto found = interfaces_.find(interface_slot);
  if (found == interfaces_.end()) return Failed("release", std::to_string(interface_slot), ENOENT);
  found->second.held = false;
  return Status{};
}

Status Probe::SetOutOfScope(uint32_t interface_slot, bool out) {
  std::lock_guard lock(mutex_);
  auto found = interfaces_.find(interface_slot);
  if (found == interfaces_.end()) return Failed("set the scope of", std::to_string(interface_slot), ENOENT);
  return podweir::SetOutOfScope(*skeleton_, interface_slot, out);
}

std::vector<uint32_t> Probe::AttachedSlots() {
  std::vector<uint32_t> slots;
  std::lock_guard lock(mutex_);
  for (auto& [slot, interface] : interfaces_)
    if (interface.attachment && interface.state != InterfaceState::kOver) slots.push_back(slot);
  return slots;
}

void Probe::GiveBack(uint32_t interface_slot) {
  std::vector<interface_totals> zeros(possible_cpus_);
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.interface_totals), &interface_slot, zeros.data(), BPF_ANY);
  static_cast<class_totals*>(classes_.get())[interface_slot] = {};
  podweir::SetOutOfScope(*skeleton_, interface_slot, false);
  std::lock_guard lock(mutex_);
  AddTime(interfaces_[interface_slot], past_time_);
  interfaces_.erase(interface_slot);
  if (journal_) journal_->record(interface_slot) = {};
}

}  // namespace podweir
