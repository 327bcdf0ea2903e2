#include "endpoint_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "namespace.h"

namespace podweir {
namespace {

constexpr size_t kMostBytes = 1 << 20;

struct RawAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

RawAddress Raw(const SocketAddress& from) {
  RawAddress to;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&to.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&to.storage);
  if (inet_pton(AF_INET, from.text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(from.port);
    to.bytes = sizeof(*v4);
  } else if (inet_pton(AF_INET6, from.text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(from.port);
    to.bytes = sizeof(*v6);
  }
  return to;
}

int ErrnoOf(int result) { return result ? errno : 0; }

}  // namespace

Result<EndpointSocket> EndpointSocket::Open(const std::string& netns, int family) {
  NamespaceThread namespaces;
  Fd fd;
  Status status = namespaces.In(netns, [&] {
    fd = Fd(socket(family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    return fd.valid() ? Status{} : Failed("open socket in", netns, errno);
  });
  if (!status.ok()) return status;
  return EndpointSocket(std::move(fd));
}

int EndpointSocket::Bind(const SocketAddress& address) {
  RawAddress raw = Raw(address);
  return ErrnoOf(bind(fd_.get(), raw.get(), raw.bytes));
}

int EndpointSocket::Connect(const SocketAddress& address) {
  RawAddress raw = Raw(address);
  return ErrnoOf(connect(fd_.get(), raw.get(), raw.bytes));
}

int EndpointSocket::Listen(int backlog) { return ErrnoOf(listen(fd_.get(), backlog)); }

int EndpointSocket::Set(int level, int name, int value) {
  if (level == SOL_SOCKET && name == SO_LINGER) {
    linger how{1, value};
    return ErrnoOf(setsockopt(fd_.get(), level, name, &how, sizeof(how)));
  }
  return ErrnoOf(setsockopt(fd_.get(), level, name, &value, sizeof(value)));
}

int EndpointSocket::ShutDown() { return ErrnoOf(shutdown(fd_.get(), SHUT_WR)); }

int EndpointSocket::TakeError() {
  int error = 0;
  socklen_t bytes = sizeof(error);
  return getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &bytes) ? errno : error;
}

Result<EndpointSocket> EndpointSocket::Accept() {
  Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return Failed("accept", "connection", errno);
  return EndpointSocket(std::move(fd));
}

int64_t EndpointSocket::Send(size_t bytes, int flags, const SocketAddress* address) {
  const std::vector<char> data(std::min(bytes, kMostBytes), 'd');
  RawAddress raw = address ? Raw(*address) : RawAddress{};
  ssize_t put = sendto(fd_.get(), data.data(), data.size(), flags | MSG_NOSIGNAL, address ? raw.get() : nullptr,
                       address ? raw.bytes : 0);
  return put < 0 ? -errno : put;
}

int64_t EndpointSocket::Receive(size_t most) {
  std::vector<char> data(std::min(most, kMostBytes));
  ssize_t got = recv(fd_.get(), data.data(), data.size(), 0);
  return got < 0 ? -errno : got;
}

uint16_t EndpointSocket::LocalPort() const {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(storage);
  getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &bytes);
  // Both families have it at the same place.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

SocketState EndpointSocket::State() const {
  tcp_info info{};
  socklen_t bytes = sizeof(info);
  getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &bytes);
  return {info.tcpi_state, info.tcpi_total_retrans, info.tcpi_unacked};
}

}  // namespace podweir
