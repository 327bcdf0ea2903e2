#include "kernel_state.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <unistd.h>

#include <cstring>

#include "dispatcher.h"
#include "interfaces.h"

namespace podweir {
namespace {

constexpr int kTries = 100;
constexpr useconds_t kPauseUs = 50'000;
// linux/bpf.h of 6.6
constexpr int kTcxIngress = 46, kTcxEgress = 47;

int CountIds(int (*next)(uint32_t, uint32_t*), const std::function<void(uint32_t)>& visit) {
  int count = 0;
  for (uint32_t id = 0; !next(id, &id); count++)
    if (visit) visit(id);
  return count;
}

int Filters(Netlink& netlink, int index) {
  int filters = 0;
  for (uint32_t parent : {TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)}) {
    tcmsg message{};
    message.tcm_ifindex = index;
    message.tcm_parent = parent;
    Request request(RTM_GETTFILTER, NLM_F_DUMP, message);
    // One answer more, without a handle, is the priority's own.
    netlink.Send(request, [&](const nlmsghdr* answer) {
      bool filter = answer->nlmsg_type == RTM_NEWTFILTER;
      filters += filter && static_cast<const tcmsg*>(NLMSG_DATA(answer))->tcm_handle;
    });
  }
  return filters;
}

int TcxPrograms(int index, int type) {
  LIBBPF_OPTS(bpf_prog_query_opts, options);
  return bpf_prog_query_opts(index, static_cast<bpf_attach_type>(type), &options) ? 0
                                                                                  : static_cast<int>(options.prog_cnt);
}

}  // namespace

BpfObjects CountBpfObjects() {
  BpfObjects objects;
  objects.programs = CountIds(bpf_prog_get_next_id, [&](uint32_t id) {
    Fd program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &size)) return;
    objects.dispatchers += !strncmp(info.name, kDispatcherPrefix, strlen(kDispatcherPrefix));
  });
  objects.maps = CountIds(bpf_map_get_next_id, nullptr);
  objects.links = CountIds(bpf_link_get_next_id, nullptr);
  return objects;
}

Hooked WhatIsHooked(NamespaceThread& namespaces, const std::string& netns, const std::string& device) {
  Hooked hooked;
  namespaces.In(netns, [&] {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return netlink.status;
    int index = static_cast<int>(if_nametoindex(device.c_str()));
    hooked.qdisc = FilterQdisc(*netlink, index);
    hooked.filters = Filters(*netlink, index);
    for (int type : {kTcxIngress, kTcxEgress}) hooked.tcx_programs += TcxPrograms(index, type);
    return Status{};
  });
  return hooked;
}

bool Becomes(const std::function<bool()>& holds) {
  for (int i = 0; i < kTries; i++) {
    if (holds()) return true;
    usleep(kPauseUs);
  }
  return false;
}

}  // namespace podweir
