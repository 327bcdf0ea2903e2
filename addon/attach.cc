#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "chain.h"
#include "filters.h"

namespace podweir {
namespace {

// linux/bpf.h of 6.6; older headers lack them, the kernel decides.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr std::chrono::milliseconds kPauseForOthers{1};
constexpr uint32_t kBeforeAll = 1U << 3;  // BPF_F_BEFORE without a relative program

}  // namespace

Result<std::unique_ptr<Attachment>> Attachment::Create(const AttachRequest& request, uint32_t interface_slot,
                                                       const DispatcherMaps& maps, NamespaceThread& namespaces) {
  std::unique_ptr<Attachment> attachment(new Attachment(request, namespaces));
  Status status = attachment->LoadDispatchers(interface_slot, maps);
  if (!status.ok()) return status;
  attachment->namespace_inode_ = request.inode ? request.inode : NamespaceInode(request.netns);
  status = namespaces.In(request.netns, attachment->namespace_inode_, [&] { return attachment->AttachInside(); });
  if (!status.ok()) return status;
  return attachment;
}

// Where the shared programs are loaded, by the same rights.
Status Attachment::LoadDispatchers(uint32_t interface_slot, const DispatcherMaps& maps) {
  return namespaces_.In("", [&] {
    for (flow_direction direction : {FROM_POD, TO_POD}) {
      Result<Fd> program = LoadDispatcher(maps, interface_slot, direction);
      if (!program.ok()) return program.status;
      programs_[direction] = std::move(*program);
    }
    return Status{};
  });
}

Attachment::~Attachment() { Unhook(); }

void Attachment::Unhook() {
  Unpin();
  for (Fd& link : links_) link.Close();
  if (!priorities_[FROM_POD] && !priorities_[TO_POD]) return;
  Inside([this] {
    DetachClsact();
    return Status{};
  });
}

// At the pod's end the pod sends by egress, at the host's end by ingress.
bool Attachment::IsEgress(flow_direction direction) const {
  return (request_.place == Place::kPod) == (direction == FROM_POD);
}

Status Attachment::Inside(const std::function<Status()>& job) {
  bool entered = false;
  auto noted = [&] {
    entered = true;
    return job();
  };
  Status status = namespaces_.In(request_.netns, namespace_inode_, noted);
  if (entered || (status.error != ENOENT && status.error != ESTALE)) return status;
  std::string path = NamespacePath(namespace_inode_);
  if (path.empty()) return status;
  request_.netns = path;
  return namespaces_.In(path, namespace_inode_, noted);
}

Status Attachment::AttachInside() {
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  Result<std::vector<Link>> links = ListLinks(*netlink);
  if (!links.ok()) return links.status;
  for (const Link& link : *links)
    if (link.name == request_.device) link_ = link;
  if (!link_.index) return Failed("attach", request_.device, ENODEV);
  if (!link_.ethernet || link_.loopback)
    return Failed("attach", request_.device, EMEDIUMTYPE, "not an Ethernet device");
  // Also where we now use tcx: nobody else would ever remove it.
  if (FilterQdisc(*netlink, link_.index) == "clsact")
    for (flow_direction direction : {FROM_POD, TO_POD}) RemoveStale(direction);
  if (request_.hook != Hook::kClsact) {
    Status status = AttachTcx();
    // EINVAL: a kernel before 6.6 knows no such attach type.
    if (status.ok()) RemoveClsact();
    if (status.ok() || request_.hook == Hook::kTcx || status.error != EINVAL) return status;
  }
  if (request_.hook == Hook::kAuto && request_.place == Place::kHost)
    return Failed("attach", request_.device, EOPNOTSUPP,
                  "this kernel has no tcx, and a clsact at the host's end would break the CNI's bandwidth plugin");
  return AttachClsact();
}

Status Attachment::AttachTcx() {
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    // Each attach holds RTNL for an RCU grace period. Without a pause the second one takes it before whoever waits
    // wakes.
    if (direction != FROM_POD) std::this_thread::sleep_for(kPauseForOthers);
    Status status = AttachLink(direction);
    if (status.ok()) continue;
    for (Fd& link : links_) link.Close();
    return status;
  }
  hook_ = Hook::kTcx;
  return Status{};
}

Status Attachment::AttachLink(flow_direction direction) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = kBeforeAll);
  auto type = IsEgress(direction) ? kTcxEgress : kTcxIngress;
  links_[direction].Close();
  links_[direction] = Fd(bpf_link_create(programs_[direction].get(), link_.index, type, &options));
  return links_[direction].valid() ? Status{} : Failed("attach tcx", request_.device, errno);
}

Status Attachment::AttachClsact() {
  Status status = EnsureClsact();
  if (!status.ok()) return status;
  hook_ = Hook::kClsact;
  TakeHandle();
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    status = AttachFilter(direction);
    if (status.ok()) continue;
    DetachClsact();
    return status;
  }
  return Status{};
}

Status Attachment::EnsureClsact() {
  bpf_tc_hook both = HookOf(link_.index, false);
  both.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  int error = bpf_tc_hook_create(&both);
  if (error && error != -EEXIST) return Failed("create clsact", request_.device, error);
  created_clsact_ |= !error;
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  // On an ingress qdisc filters for either direction would see what comes in.
  if (FilterQdisc(*netlink, link_.index) != "clsact")
    return Failed("create clsact", request_.device, EBUSY,
                  "it has an ingress qdisc, beside which there can be no clsact: use hook: tcx, or remove the qdisc");
  return Status{};
}

void Attachment::TakeHandle() { handle_ = created_clsact_ ? kOwnersHandle : kGuestsHandle; }

// What a killed agent left counts into maps that nobody reads.
void Attachment::RemoveStale(flow_direction direction) {
  bool egress = IsEgress(direction);
  for (const FilterPlace& place : FiltersOfOurs(link_.index, egress)) {
    if (!RemoveFilter(link_.index, egress, place)) continue;
    replaced_stale_ = true;
    created_clsact_ |= place.handle == kOwnersHandle;
  }
}

Status Attachment::AttachFilter(flow_direction direction) {
  bpf_tc_hook hook = HookOf(link_.index, IsEgress(direction));
  int error = 0;
  for (uint32_t priority = 1; priority <= kLastPriority; priority++) {
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = programs_[direction].get(), .handle = handle_, .priority = priority);
    error = bpf_tc_attach(&hook, &options);
    if (error) continue;
    priorities_[direction] = priority;
    return Status{};
  }
  return Failed("attach filter", request_.device, error);
}

// What a killed agent left there, by our program.
Status Attachment::ReplaceFilter(flow_direction direction) {
  bpf_tc_hook hook = HookOf(link_.index, IsEgress(direction));
  uint32_t program_id = ProgramAt(hook, handle_, priorities_[direction]);
  if (!program_id || !IsOurs(ProgramName(program_id))) return Failed("adopt", link_.name, ENODEV);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = programs_[direction].get(), .flags = BPF_TC_F_REPLACE, .handle = handle_,
              .priority = priorities_[direction]);
  int error = bpf_tc_attach(&hook, &options);
  return error ? Failed("adopt", link_.name, error) : Status{};
}

void Attachment::DetachClsact() {
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    if (!priorities_[direction]) continue;
    bpf_tc_hook hook = HookOf(link_.index, IsEgress(direction));
    if (!FilterInPlace(hook, handle_, priorities_[direction], program(direction))) {
      // Somebody replaced or removed our filter, perhaps with the clsact: what is there now is not ours to remove.
      created_clsact_ = false;
      continue;
    }
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle_, .priority = priorities_[direction]);
    bpf_tc_detach(&hook, &options);
    priorities_[direction] = 0;
  }
  RemoveClsact();
}

void Attachment::RemoveClsact() {
  // On a host device a CNI may add its filter between the check and the removal; there an empty clsact stays.
  if (!created_clsact_ || request_.place != Place::kPod) return;
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok() || CountFilters(*netlink, link_.index)) return;
  RemoveClsactOf(link_.index);
  created_clsact_ = false;
}

}  // namespace podweir
