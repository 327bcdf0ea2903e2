// Who serves in the calling thread's network namespace: sockets that listen, or are bound and take datagrams.
#ifndef PODWEIR_HOST_SOCKETS_H
#define PODWEIR_HOST_SOCKETS_H

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cgroup_paths.h"
#include "netlink.h"
#include "status.h"

namespace podweir {

struct Endpoint {
  uint8_t protocol;  // IPPROTO_TCP or IPPROTO_UDP
  uint16_t port;     // host order

  auto operator<=>(const Endpoint&) const = default;
};

// Row i of every column is one socket. Those that are bound to a device are left out: nobody says what comes by it.
struct SocketRows {
  std::vector<uint8_t> protocol, family, only_ipv6;
  std::vector<uint16_t> port;
  std::vector<uint8_t> address;      // 16 bytes a row, IPv4 in the first 4; zero: any
  std::vector<uint32_t> cgroup;      // place in `cgroups`
  std::vector<std::string> cgroups;  // paths in cgroup v2, "": not known

  size_t size() const { return port.size(); }
};

class HostSockets {
 public:
  // Those at one of the endpoints, as they are now. Takes no capability.
  Result<SocketRows> At(const std::vector<Endpoint>& endpoints);

 private:
  CgroupPaths paths_;
};

// One question of them, for `protocol` and `family` (AF_INET, AF_INET6), with what `visit` is told of each.
struct BoundSocket {
  Endpoint endpoint;
  uint8_t family = 4;
  bool only_ipv6 = false;
  uint8_t address[16] = {};
  uint32_t device = 0;
  uint64_t cgroup = 0;  // 0: the kernel does not tell
};
int ListBound(Netlink& netlink, uint8_t protocol, uint8_t family, const std::function<void(const BoundSocket&)>& visit);

}  // namespace podweir

#endif
