#include "foreign_programs.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>

#include <cerrno>

#include "filters.h"
#include "interfaces.h"
#include "netlink.h"

namespace podweir {
namespace {

constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr uint32_t kMostPrograms = 64;

void AddTcx(const Link& link, bpf_attach_type type, const char* hook, std::vector<ProgramAt>& found) {
  uint32_t ids[kMostPrograms];
  LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids, .prog_cnt = kMostPrograms);
  // A kernel before 6.6 has no such attach type, and an ordinary user no answer.
  if (bpf_prog_query_opts(link.index, type, &query)) return;
  for (uint32_t i = 0; i < query.prog_cnt && i < kMostPrograms; i++) {
    std::string name = ProgramName(ids[i]);
    found.push_back({link.name, hook, name, IsOurs(name)});
  }
}

void AddFilters(Netlink& netlink, const Link& link, bool egress, std::vector<ProgramAt>& found) {
  tcmsg message{};
  message.tcm_ifindex = link.index;
  message.tcm_parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
  Request request(RTM_GETTFILTER, NLM_F_DUMP, message);
  netlink.Send(request, [&](const nlmsghdr* answer) {
    auto header = HeaderOf<tcmsg>(answer);
    Attributes attributes(answer, sizeof(tcmsg));
    // A chain's head comes first, without a handle.
    if (!header.tcm_handle) return;
    std::string kind(attributes.Text(TCA_KIND));
    std::string name(Attributes(attributes.Find(TCA_OPTIONS)).Text(kind == "bpf" ? TCA_BPF_NAME : 0));
    found.push_back({link.name, egress ? "filter egress" : "filter ingress", name.empty() ? kind : name, IsOurs(name)});
  });
}

void AddXdp(Netlink& netlink, const Link& link, std::vector<ProgramAt>& found) {
  ifinfomsg message{};
  message.ifi_index = link.index;
  Request request(RTM_GETLINK, 0, message);
  netlink.Send(request, [&](const nlmsghdr* answer) {
    Attributes xdp(Attributes(answer, sizeof(ifinfomsg)).Find(IFLA_XDP));
    if (xdp.Get<uint8_t>(IFLA_XDP_ATTACHED, XDP_ATTACHED_NONE) == XDP_ATTACHED_NONE) return;
    found.push_back({link.name, "xdp", ProgramName(xdp.Get<uint32_t>(IFLA_XDP_PROG_ID, 0)), false});
  });
}

}  // namespace

Result<std::vector<ProgramAt>> ListPrograms() {
  std::vector<ProgramAt> found;
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  Result<std::vector<Link>> links = ListLinks(*netlink);
  if (!links.ok()) return links.status;
  for (const Link& link : *links) {
    AddTcx(link, kTcxIngress, "tcx ingress", found);
    AddTcx(link, kTcxEgress, "tcx egress", found);
    AddXdp(*netlink, link, found);
    std::string qdisc = FilterQdisc(*netlink, link.index);
    if (qdisc == "ingress") found.push_back({link.name, "qdisc", qdisc, false});
    if (qdisc != "clsact") continue;
    for (bool egress : {false, true}) AddFilters(*netlink, link, egress, found);
  }
  return found;
}

}  // namespace podweir
