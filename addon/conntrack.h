// Where the kernel's connection tracking sends a flow: one question for each flow, in the calling thread's namespace.
#ifndef PODWEIR_CONNTRACK_H
#define PODWEIR_CONNTRACK_H

#include <cstdint>
#include <vector>

#include "netlink.h"
#include "status.h"

namespace podweir {

// Addresses and ports in network order, IPv4 in the first 4 bytes.
struct Tuple {
  uint8_t family = 4;  // or 6
  uint8_t protocol = 0;
  uint8_t source[16] = {}, destination[16] = {};
  uint16_t source_port = 0, destination_port = 0;

  bool operator==(const Tuple&) const = default;
};

// lib/capture/nat-source.ts has the numbers.
enum class Tracked : uint8_t {
  kGone = 0,        // for who asks: the flow is another one by now
  kUntracked = 1,   // there is no entry
  kAsSent = 2,      // it goes where it was sent
  kTranslated = 3,  // it goes to the source of `reply`
  kFailed = 4,      // no answer
};

struct Track {
  Tracked tracked = Tracked::kFailed;
  Tuple reply;  // as the answers come back
};

class Conntrack {
 public:
  // Fails where connection tracking can't be asked; takes CAP_NET_ADMIN.
  static Result<Conntrack> Open();

  // Connections that this namespace tracks now.
  Result<uint32_t> Entries();
  // Of each, as its opener sends it.
  std::vector<Track> LookUp(const std::vector<Tuple>& tuples);

 private:
  explicit Conntrack(Netlink netlink) : netlink_(std::move(netlink)) {}

  Netlink netlink_;
};

}  // namespace podweir

#endif
