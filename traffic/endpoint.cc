#include "endpoint.h"

#include <arpa/inet.h>
#include <sys/resource.h>

#include <cerrno>

#include "failure.h"

namespace traffic {

Endpoint::Endpoint(const std::string& address, uint16_t port) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage_);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage_);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    storage_.ss_family = AF_INET;
    v4->sin_port = htons(port);
    return;
  }
  if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) != 1) RefuseArguments(address + " is not an IP address");
  storage_.ss_family = AF_INET6;
  v6->sin6_port = htons(port);
}

Endpoint Endpoint::Target(const Arguments& arguments) { return Endpoint(arguments.Text("to"), Port(arguments)); }

Endpoint Endpoint::WithPort(uint16_t port) const {
  Endpoint other = *this;
  // The port stands at the same place in both families.
  reinterpret_cast<sockaddr_in*>(&other.storage_)->sin_port = htons(port);
  return other;
}

uint16_t Port(const Arguments& arguments) {
  const uint64_t port = arguments.Count("port");
  if (port < 1 || port > 65535) RefuseArguments("--port " + std::to_string(port) + " is not from 1 to 65535");
  return static_cast<uint16_t>(port);
}

podweir::Fd OpenSocket(int family, int type, int protocol) {
  podweir::Fd opened(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!opened.valid()) Fail("open", "socket", errno);
  return opened;
}

podweir::Fd BindAny(int type, uint16_t port) {
  podweir::Fd any(socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool v6 = any.valid();
  if (!v6) any = OpenSocket(AF_INET, type);
  const int off = 0;
  const int on = 1;
  if (v6) setsockopt(any.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  setsockopt(any.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const Endpoint local(v6 ? "::" : "0.0.0.0", port);
  if (bind(any.get(), local.address(), local.length())) Fail("bind", "port " + std::to_string(port), errno);
  return any;
}

void GrowReceiveBuffer(const podweir::Fd& socket, int bytes) {
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void RaiseDescriptorLimit() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace traffic
