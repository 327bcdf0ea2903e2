// A pod's namespace and its veth pair, made by rtnetlink in a kernel that has no other tools; and what they counted.
#ifndef PODWEIR_KERNELS_WIRE_H
#define PODWEIR_KERNELS_WIRE_H

#include <cstdint>
#include <string>

#include "namespace.h"
#include "status.h"

namespace podweir {

// The pod's end is `eth0` in `netns`, the other end `host` in our own namespace.
struct Wire {
  std::string netns, host;
  std::string pod4, host4, pod6, host6;  // addresses
};

// The kernel's own counts in one namespace: packets of TCP that it sent, again ones too, and what a device transmitted
// and received.
struct KernelCounts {
  uint64_t tcp_sent = 0;
  uint64_t transmitted = 0, received = 0;  // skbs

  bool operator==(const KernelCounts&) const = default;
};

class Wires {
 public:
  // Addresses are set, both ends are down.
  Result<Wire> Make(int number);
  Status Raise(const Wire& wire);
  // The kernel destroys it when nobody is in it any more.
  void Remove(const Wire& wire);
  // Neither end says anything of its own accord.
  void Silence(const Wire& wire);
  // In the pod's namespace, or with `netns` empty in our own.
  KernelCounts Count(const std::string& netns, const std::string& device);
  NamespaceThread& namespaces() { return namespaces_; }

 private:
  NamespaceThread namespaces_;
};

}  // namespace podweir

#endif
