#include "host_sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <set>

// Linux 5.8; the headers of Debian 12 have it, those of earlier ones do not.
#ifndef INET_DIAG_CGROUP_ID
#define INET_DIAG_CGROUP_ID 21
#endif

namespace podweir {
namespace {

// A datagram socket that is connected to somebody takes from that one alone.
constexpr uint32_t kListening = 1 << TCP_LISTEN, kUnconnected = 1 << TCP_CLOSE;

BoundSocket SocketIn(const nlmsghdr* answer, uint8_t protocol) {
  const auto header = HeaderOf<inet_diag_msg>(answer);
  Attributes attributes(answer, sizeof(inet_diag_msg));
  BoundSocket socket{{protocol, ntohs(header.id.idiag_sport)}};
  socket.family = header.idiag_family == AF_INET ? 4 : 6;
  socket.only_ipv6 = attributes.Get<uint8_t>(INET_DIAG_SKV6ONLY, 0) != 0;
  memcpy(socket.address, header.id.idiag_src, socket.family == 4 ? 4 : 16);
  socket.device = header.id.idiag_if;
  socket.cgroup = attributes.Get<uint64_t>(INET_DIAG_CGROUP_ID, 0);
  return socket;
}

uint32_t PlaceOf(std::vector<std::string>& texts, std::string text) {
  auto found = std::find(texts.begin(), texts.end(), text);
  if (found == texts.end()) found = texts.insert(found, std::move(text));
  return static_cast<uint32_t>(found - texts.begin());
}

}  // namespace

int ListBound(Netlink& netlink, uint8_t protocol, uint8_t family,
              const std::function<void(const BoundSocket&)>& visit) {
  inet_diag_req_v2 question{};
  question.sdiag_family = family;
  question.sdiag_protocol = protocol;
  question.idiag_states = protocol == IPPROTO_TCP ? kListening : kUnconnected;
  Request request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, question);
  return netlink.Send(request, [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type == SOCK_DIAG_BY_FAMILY) visit(SocketIn(answer, protocol));
  });
}

Result<SocketRows> HostSockets::At(const std::vector<Endpoint>& endpoints) {
  const std::set<Endpoint> asked(endpoints.begin(), endpoints.end());
  Result<Netlink> netlink = Netlink::Open(NETLINK_SOCK_DIAG);
  if (!netlink.ok()) return Failed("list sockets", "of this namespace", netlink.status.error);
  SocketRows rows;
  auto add = [&](const BoundSocket& socket) {
    if (socket.device || !asked.contains(socket.endpoint)) return;
    rows.protocol.push_back(socket.endpoint.protocol);
    rows.family.push_back(socket.family);
    rows.only_ipv6.push_back(socket.only_ipv6);
    rows.port.push_back(socket.endpoint.port);
    rows.address.insert(rows.address.end(), std::begin(socket.address), std::end(socket.address));
    rows.cgroup.push_back(PlaceOf(rows.cgroups, paths_.PathOf(socket.cgroup)));
  };
  for (uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
    auto is_asked = [&](const Endpoint& endpoint) { return endpoint.protocol == protocol; };
    if (std::none_of(asked.begin(), asked.end(), is_asked)) continue;
    for (uint8_t family : {AF_INET, AF_INET6}) {
      int error = ListBound(*netlink, protocol, family, add);
      // A kernel without IPv6 knows no such sockets.
      if (error && !(error == ENOENT && family == AF_INET6))
        return Failed("list sockets", protocol == IPPROTO_TCP ? "tcp" : "udp", error);
    }
  }
  return rows;
}

}  // namespace podweir
