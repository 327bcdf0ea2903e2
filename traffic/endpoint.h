// An IPv4 or IPv6 address with a port, and the sockets that roles make of it.
#ifndef PODWEIR_TRAFFIC_ENDPOINT_H
#define PODWEIR_TRAFFIC_ENDPOINT_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "../addon/handle.h"
#include "arguments.h"

namespace traffic {

class Endpoint {
 public:
  // Ends the program when `address` is none.
  Endpoint(const std::string& address, uint16_t port);
  // From `--to` and `--port`.
  static Endpoint Target(const Arguments& arguments);

  Endpoint WithPort(uint16_t port) const;
  int family() const { return storage_.ss_family; }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const { return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
  in_addr v4() const { return reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr; }

 private:
  sockaddr_storage storage_{};
};

// `--port`, refused when it does not fit.
uint16_t Port(const Arguments& arguments);

// Non-blocking; ends the program when there is none to be had.
podweir::Fd OpenSocket(int family, int type, int protocol = 0);

// A socket for any local address of both families, of IPv4 alone where the machine has no IPv6.
podweir::Fd BindAny(int type, uint16_t port);

// Room for what arrives in a burst; root may pass the machine's limit.
void GrowReceiveBuffer(const podweir::Fd& socket, int bytes);

// As many descriptors as the hard limit has.
void RaiseDescriptorLimit();

}  // namespace traffic

#endif
