#include "chain.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>

#include "attach.h"

namespace podweir {

bpf_tc_hook HookOf(int index, bool egress) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index, .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
  return hook;
}

uint32_t ProgramAt(bpf_tc_hook& hook, uint32_t handle, uint32_t priority) {
  LIBBPF_OPTS(bpf_tc_opts, query, .handle = handle, .priority = priority);
  return bpf_tc_query(&hook, &query) ? 0 : query.prog_id;
}

uint32_t ProgramId(int program) {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(program, &info, &size) ? 0 : info.id;
}

bool LinkInPlace(int link) {
  bpf_link_info info{};
  uint32_t size = sizeof(info);
  // It is where an XDP link has its device; older headers know the latter alone.
  return bpf_obj_get_info_by_fd(link, &info, &size) || info.xdp.ifindex;
}

bool FilterInPlace(bpf_tc_hook hook, uint32_t handle, uint32_t priority, int program) {
  uint32_t id = ProgramId(program);
  return id && id == ProgramAt(hook, handle, priority);
}

Attachment::Places Attachment::InPlace() {
  Places in_place = {true, true};
  if (hook_ == Hook::kTcx) {
    for (flow_direction direction : {FROM_POD, TO_POD})
      in_place[direction] = links_[direction].valid() && LinkInPlace(links_[direction].get());
    return in_place;
  }
  // A namespace that can't be entered tells nothing.
  Inside([&] {
    for (flow_direction direction : {FROM_POD, TO_POD})
      in_place[direction] = priorities_[direction] && FilterInPlace(HookOf(link_.index, IsEgress(direction)), handle_,
                                                                    priorities_[direction], program(direction));
    return Status{};
  });
  return in_place;
}

bool Attachment::HasDevice() {
  bool found = false;
  Inside([&] {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return netlink.status;
    Result<LinkReading> now = ReadLink(*netlink, -1, link_.index);
    // A device that was made anew with its index and address still has another one at its other end.
    found = now.ok() && now->link.address == link_.address && now->link.peer_index == link_.peer_index;
    return Status{};
  });
  return found;
}

Status Attachment::Rehook() {
  Places in_place = InPlace();
  if (!HasDevice()) return Failed("attach again", request_.device, ENODEV);
  return Inside([&] {
    if (hook_ == Hook::kTcx) {
      for (flow_direction direction : {FROM_POD, TO_POD}) {
        Status status = in_place[direction] ? Status{} : AttachLink(direction);
        if (!status.ok()) return status;
      }
      return Status{};
    }
    // Where neither filter is left, so is the clsact, or it is another's by now.
    if (!in_place[FROM_POD] && !in_place[TO_POD]) created_clsact_ = false;
    Status status = EnsureClsact();
    if (!status.ok()) return status;
    if (!in_place[FROM_POD] && !in_place[TO_POD]) TakeHandle();
    for (flow_direction direction : {FROM_POD, TO_POD}) {
      if (in_place[direction]) continue;
      priorities_[direction] = 0;
      status = AttachFilter(direction);
      if (!status.ok()) return status;
    }
    return Status{};
  });
}

}  // namespace podweir
