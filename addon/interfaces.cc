#include "interfaces.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/pkt_sched.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

namespace podweir {
namespace {

std::string HardwareAddress(const rtattr* attribute) {
  std::string text;
  if (!attribute) return text;
  const auto* bytes = static_cast<const uint8_t*>(RTA_DATA(attribute));
  for (size_t i = 0; i < RTA_PAYLOAD(attribute); i++) {
    char pair[4];
    snprintf(pair, sizeof(pair), i ? ":%02x" : "%02x", bytes[i]);
    text += pair;
  }
  return text;
}

Link ParseLink(const nlmsghdr* message) {
  const auto info = HeaderOf<ifinfomsg>(message);
  Attributes attributes(message, sizeof(ifinfomsg));
  Attributes detail(attributes.Find(IFLA_LINKINFO));
  Link link;
  link.index = info.ifi_index;
  link.name = attributes.Text(IFLA_IFNAME);
  link.kind = detail.Text(IFLA_INFO_KIND);
  link.address = HardwareAddress(attributes.Find(IFLA_ADDRESS));
  link.qdisc = attributes.Text(IFLA_QDISC);
  link.ethernet = info.ifi_type == ARPHRD_ETHER;
  link.loopback = info.ifi_flags & IFF_LOOPBACK;
  link.up = info.ifi_flags & IFF_UP;
  link.peer_index = attributes.Get<int32_t>(IFLA_LINK, 0);
  link.peer_namespace_id = attributes.Get<int32_t>(IFLA_LINK_NETNSID, -1);
  auto stats = attributes.Get<rtnl_link_stats64>(IFLA_STATS64, {});
  link.counters = DeviceCounters{stats.tx_packets, stats.rx_packets, stats.tx_dropped, 0};
  return link;
}

void VisitQdisc(Netlink& netlink, int index, uint32_t parent, const std::function<void(const Attributes&)>& visit) {
  tcmsg message{};
  message.tcm_ifindex = index;
  Request request(RTM_GETQDISC, NLM_F_DUMP, message);
  netlink.Send(request, [&](const nlmsghdr* answer) {
    const auto qdisc = HeaderOf<tcmsg>(answer);
    if (answer->nlmsg_type != RTM_NEWQDISC || qdisc.tcm_ifindex != index || qdisc.tcm_parent != parent) return;
    visit(Attributes(answer, sizeof(tcmsg)));
  });
}

bool Feature(int socket, ifreq& request, uint32_t command) {
  ethtool_value value{command, 0};
  request.ifr_data = reinterpret_cast<char*>(&value);
  return !ioctl(socket, SIOCETHTOOL, &request) && value.data;
}

// The counters of IPv4 and IPv6, which the kernel would add up over all CPUs for each device, are left out. Linux 7
// leaves out the device's own with them: then all are asked for.
int AskForLinks(Netlink& netlink, const Request& request, std::vector<Link>& links) {
  static std::atomic<bool> skips_too_much = false;
  bool has_counters = true;
  Request sent = request;
  if (!skips_too_much) sent.Add(IFLA_EXT_MASK, uint32_t{RTEXT_FILTER_SKIP_STATS});
  int error = netlink.Send(sent, [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type != RTM_NEWLINK) return;
    has_counters &= Attributes(answer, sizeof(ifinfomsg)).Find(IFLA_STATS64) != nullptr;
    links.push_back(ParseLink(answer));
  });
  if (error || has_counters || skips_too_much) return error;
  skips_too_much = true;
  links.clear();
  return AskForLinks(netlink, request, links);
}

}  // namespace

Result<std::vector<Link>> ListLinks(Netlink& netlink) {
  std::vector<Link> links;
  int error = AskForLinks(netlink, Request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}), links);
  if (error) return Failed("list links", "RTM_GETLINK", error);
  return links;
}

Result<LinkReading> ReadLink(Netlink& netlink, int namespace_id, int index) {
  ifinfomsg info{};
  info.ifi_index = index;
  Request request(RTM_GETLINK, 0, info);
  if (namespace_id >= 0) request.Add(IFLA_TARGET_NETNSID, namespace_id);
  std::vector<Link> links;
  int error = AskForLinks(netlink, request, links);
  if (links.empty()) return Failed("read link", std::to_string(index), error ? error : ENODEV);
  return LinkReading{links.front(), links.front().counters};
}

Result<std::unordered_map<int, DeviceCounters>> ListCounters(Netlink& netlink) {
  if_stats_msg wanted{};
  wanted.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  Request request(RTM_GETSTATS, NLM_F_DUMP, wanted);
  std::unordered_map<int, DeviceCounters> counters;
  int error = netlink.Send(request, [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type != RTM_NEWSTATS) return;
    auto stats = Attributes(answer, sizeof(if_stats_msg)).Get<rtnl_link_stats64>(IFLA_STATS_LINK_64, {});
    counters[static_cast<int>(HeaderOf<if_stats_msg>(answer).ifindex)] = {stats.tx_packets, stats.rx_packets,
                                                                          stats.tx_dropped, 0};
  });
  if (error) return Failed("list counters", "RTM_GETSTATS", error);
  return counters;
}

uint64_t QdiscDrops(Netlink& netlink, int index) {
  uint64_t drops = 0;
  VisitQdisc(netlink, index, TC_H_ROOT, [&](const Attributes& qdisc) {
    drops = Attributes(qdisc.Find(TCA_STATS2)).Get<gnet_stats_queue>(TCA_STATS_QUEUE, {}).drops;
  });
  return drops;
}

std::string FilterQdisc(Netlink& netlink, int index) {
  std::string kind;
  VisitQdisc(netlink, index, TC_H_INGRESS, [&](const Attributes& qdisc) { kind = qdisc.Text(TCA_KIND); });
  return kind;
}

int NamespaceId(Netlink& netlink, const std::string& path, bool assign) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return -1;
  int id = -1;
  auto ask = [&] {
    Request request(RTM_GETNSID, 0, rtgenmsg{});
    request.Add(NETNSA_FD, fd.get());
    netlink.Send(request, [&](const nlmsghdr* answer) {
      if (answer->nlmsg_type == RTM_NEWNSID) id = Attributes(answer, sizeof(rtgenmsg)).Get<int32_t>(NETNSA_NSID, -1);
    });
  };
  ask();
  if (id >= 0 || !assign) return id;
  Request request(RTM_NEWNSID, NLM_F_ACK, rtgenmsg{});
  request.Add(NETNSA_FD, fd.get()).Add(NETNSA_NSID, int32_t{-1});
  netlink.Send(request, nullptr);
  ask();
  return id;
}

Offloads ReadOffloads(const std::string& device) {
  Offloads offloads;
  Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  if (!any.valid() || device.size() >= sizeof(request.ifr_name)) return offloads;
  device.copy(request.ifr_name, device.size());
  offloads.known = true;
  offloads.segments_late = Feature(any.get(), request, ETHTOOL_GSG) && Feature(any.get(), request, ETHTOOL_GTSO) &&
                           Feature(any.get(), request, ETHTOOL_GGSO);
  offloads.merges_early = Feature(any.get(), request, ETHTOOL_GGRO);
  return offloads;
}

int CountFilters(Netlink& netlink, int index) {
  int filters = 0;
  for (uint32_t parent : {TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)}) {
    tcmsg message{};
    message.tcm_ifindex = index;
    message.tcm_parent = parent;
    Request request(RTM_GETTFILTER, NLM_F_DUMP, message);
    netlink.Send(request, [&](const nlmsghdr* answer) { filters += answer->nlmsg_type == RTM_NEWTFILTER; });
  }
  return filters;
}

}  // namespace podweir
