// A TCP connection between two namespaces, and what its sender's kernel says of it.
#ifndef PODWEIR_KERNELS_TRANSFER_H
#define PODWEIR_KERNELS_TRANSFER_H

#include <cstdint>
#include <string>

#include "namespace.h"
#include "status.h"

namespace podweir {

struct TransferPlan {
  std::string client_netns, server_netns;  // empty: our own
  std::string server_address;              // IPv4 or IPv6
  uint64_t bytes = 0;                      // from client to server
};

struct Transferred {
  uint64_t received = 0;  // by the server's application
  uint64_t sent = 0;      // by the client's kernel, payload with what it sent again
};

// Opens, sends, closes from both sides, and waits for all of it.
Result<Transferred> Transfer(NamespaceThread& namespaces, const TransferPlan& plan);

}  // namespace podweir

#endif
