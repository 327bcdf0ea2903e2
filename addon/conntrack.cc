#include "conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace podweir {
namespace {

constexpr char kSubject[] = "connection tracking";
// An answer is an skb of its own, and the socket's queue is what the system gives everybody.
constexpr size_t kAtOnce = 32;
static_assert(kAtOnce <= Netlink::kMostAtOnce);
// A queue that was full is empty after it was read.
constexpr int kTries = 3;

constexpr uint16_t TypeOf(int message) { return static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message); }

size_t AddressBytes(const Tuple& tuple) { return tuple.family == 4 ? 4 : 16; }

Request AskFor(const Tuple& tuple) {
  const bool is4 = tuple.family == 4;
  nfgenmsg header{static_cast<uint8_t>(is4 ? AF_INET : AF_INET6), NFNETLINK_V0, 0};
  Request request(TypeOf(IPCTNL_MSG_CT_GET), 0, header);
  size_t whole = request.Begin(CTA_TUPLE_ORIG);
  size_t addresses = request.Begin(CTA_TUPLE_IP);
  request.Add(is4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, tuple.source, AddressBytes(tuple))
      .Add(is4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, tuple.destination, AddressBytes(tuple))
      .End(addresses);
  size_t protocol = request.Begin(CTA_TUPLE_PROTO);
  request.Add(CTA_PROTO_NUM, tuple.protocol)
      .Add(CTA_PROTO_SRC_PORT, tuple.source_port)
      .Add(CTA_PROTO_DST_PORT, tuple.destination_port)
      .End(protocol)
      .End(whole);
  return request;
}

void ReadAddress(const Attributes& addresses, uint16_t type, size_t bytes, uint8_t* to) {
  const rtattr* found = addresses.Find(type);
  if (found && RTA_PAYLOAD(found) >= bytes) memcpy(to, RTA_DATA(found), bytes);
}

// What is not there is zero.
Tuple TupleIn(const nlmsghdr* answer, uint16_t type) {
  Tuple tuple;
  Attributes whole(Attributes(answer, sizeof(nfgenmsg)).Find(type));
  Attributes addresses(whole.Find(CTA_TUPLE_IP)), protocol(whole.Find(CTA_TUPLE_PROTO));
  const bool is4 = addresses.Find(CTA_IP_V4_SRC) != nullptr;
  tuple.family = is4 ? 4 : 6;
  ReadAddress(addresses, is4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, AddressBytes(tuple), tuple.source);
  ReadAddress(addresses, is4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, AddressBytes(tuple), tuple.destination);
  tuple.protocol = protocol.Get<uint8_t>(CTA_PROTO_NUM, 0);
  tuple.source_port = protocol.Get<uint16_t>(CTA_PROTO_SRC_PORT, 0);
  tuple.destination_port = protocol.Get<uint16_t>(CTA_PROTO_DST_PORT, 0);
  return tuple;
}

// An entry is found by either of its two tuples: that of its answers says nothing of who asked.
Track TrackOf(const Tuple& asked, const nlmsghdr* answer, int error) {
  if (error) return {error == ENOENT ? Tracked::kUntracked : Tracked::kFailed, {}};
  if (TupleIn(answer, CTA_TUPLE_ORIG) != asked) return {Tracked::kUntracked, {}};
  Tuple reply = TupleIn(answer, CTA_TUPLE_REPLY);
  bool as_sent =
      reply.source_port == asked.destination_port && !memcmp(reply.source, asked.destination, sizeof(reply.source));
  if (as_sent) return {Tracked::kAsSent, reply};
  return {reply.family == asked.family ? Tracked::kTranslated : Tracked::kUntracked, reply};
}

}  // namespace

Result<Conntrack> Conntrack::Open() {
  Result<Netlink> netlink = Netlink::Open(NETLINK_NETFILTER);
  if (!netlink.ok()) return Failed("ask", kSubject, netlink.status.error, "this kernel has no nfnetlink");
  Conntrack conntrack(std::move(*netlink));
  Result<uint32_t> entries = conntrack.Entries();
  if (!entries.ok()) return entries.status;
  return Result<Conntrack>(std::move(conntrack));
}

Result<uint32_t> Conntrack::Entries() {
  Request statistics(TypeOf(IPCTNL_MSG_CT_GET_STATS), 0, nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  uint32_t entries = 0;
  int error = netlink_.Send(statistics, [&](const nlmsghdr* answer) {
    entries = ntohl(Attributes(answer, sizeof(nfgenmsg)).Get<uint32_t>(CTA_STATS_GLOBAL_ENTRIES, 0));
  });
  if (error == EINVAL) return Failed("ask", kSubject, EOPNOTSUPP, "nf_conntrack_netlink is not loaded");
  if (error) return Failed("ask", kSubject, error);
  return entries;
}

std::vector<Track> Conntrack::LookUp(const std::vector<Tuple>& tuples) {
  std::vector<Track> tracks(tuples.size());
  for (size_t first = 0; first < tuples.size(); first += kAtOnce) {
    std::vector<size_t> waiting;
    for (size_t i = first; i < std::min(first + kAtOnce, tuples.size()); i++) waiting.push_back(i);
    for (int tries = 0; tries < kTries && !waiting.empty(); tries++) {
      std::vector<Request> requests;
      for (size_t i : waiting) requests.push_back(AskFor(tuples[i]));
      std::vector<bool> answered(waiting.size());
      int error = netlink_.SendAll(requests, [&](size_t place, const nlmsghdr* answer, int refused) {
        tracks[waiting[place]] = TrackOf(tuples[waiting[place]], answer, refused);
        answered[place] = refused != ENOBUFS;
      });
      for (size_t place = waiting.size(); place-- > 0;)
        if (answered[place]) waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(place));
      if (error && error != ENOBUFS) break;
    }
  }
  return tracks;
}

}  // namespace podweir
