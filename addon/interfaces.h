// What the kernel says of network devices: which there are, what they counted, how they count.
#ifndef PODWEIR_INTERFACES_H
#define PODWEIR_INTERFACES_H

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "netlink.h"
#include "status.h"

namespace podweir {

// A device's own counters, in whatever it counts (skbs or packets).
struct DeviceCounters {
  uint64_t tx_packets = 0;
  uint64_t rx_packets = 0;
  uint64_t tx_dropped = 0;   // passed our hook and was never counted as sent
  uint64_t qdisc_drops = 0;  // likewise, in the queueing discipline
};

struct Link {
  int index = 0;
  std::string name;
  std::string kind;     // rtnetlink's: `veth`, `bridge`; empty for hardware
  std::string address;  // MAC
  std::string qdisc;
  bool ethernet = false;
  bool loopback = false;
  bool up = false;
  int peer_index = 0;          // other end of a pair, 0 when there is none
  int peer_namespace_id = -1;  // as this namespace numbers the other end's, -1 when it is here or unknown
  DeviceCounters counters;     // without those of its queueing discipline
};

inline bool SameCounts(const DeviceCounters& a, const DeviceCounters& b) {
  return a.tx_packets == b.tx_packets && a.rx_packets == b.rx_packets;
}

// A difference of counters that are not read at the same time.
inline uint64_t Above(uint64_t value, uint64_t base) { return value > base ? value - base : 0; }

// What a device's packet counter counts: see docs/ledger.md.
enum class CounterKind { kUnknown, kSkb, kWire };

// What changes a counter's meaning (ethtool features), read in the device's namespace.
struct Offloads {
  bool known = false;
  bool segments_late = false;  // TSO, GSO and scatter-gather on: a GSO skb passes whole
  bool merges_early = false;   // GRO on: a veth then counts in NAPI, before TC
};

// Dumps the links of the namespace that `netlink` is in.
Result<std::vector<Link>> ListLinks(Netlink& netlink);

// One link of the namespace numbered `namespace_id` (-1: the socket's own), with its counters.
struct LinkReading {
  Link link;
  DeviceCounters counters;
};
Result<LinkReading> ReadLink(Netlink& netlink, int namespace_id, int index);
// What the devices of the namespace that `netlink` is in have counted, by index: a fraction of what ListLinks costs.
Result<std::unordered_map<int, DeviceCounters>> ListCounters(Netlink& netlink);

// Root queueing discipline's drops, in the socket's own namespace.
uint64_t QdiscDrops(Netlink& netlink, int index);

// The number by which the socket's namespace knows the one at `path`; gives it one when it has none and `assign` is
// set.
int NamespaceId(Netlink& netlink, const std::string& path, bool assign);

// Reads in the calling thread's namespace.
Offloads ReadOffloads(const std::string& device);

// The kind of the qdisc that carries filters of a device, in the socket's own namespace: clsact, ingress, or none.
std::string FilterQdisc(Netlink& netlink, int index);

// How many filters hang below the clsact of a device, in the socket's own namespace.
int CountFilters(Netlink& netlink, int index);

}  // namespace podweir

#endif
