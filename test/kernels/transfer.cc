#include "transfer.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <vector>

#include "handle.h"

namespace podweir {
namespace {

constexpr uint16_t kPort = 5201;
constexpr size_t kChunkBytes = 64 * 1024;
constexpr time_t kPatienceSeconds = 30;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address AddressOf(const std::string& text) {
  Address address;
  if (text.find(':') == std::string::npos) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(kPort);
    inet_pton(AF_INET, text.c_str(), &v4->sin_addr);
    address.size = sizeof(*v4);
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(kPort);
    inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
    address.size = sizeof(*v6);
  }
  return address;
}

// A socket stays in the namespace that it was made in, whoever uses it.
Status MakeSocket(int family, Fd& made) {
  made = Fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval patience{kPatienceSeconds, 0};
  int on = 1;
  if (!made.valid() || setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
      setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
      setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
    return Failed("make", "socket", errno);
  return Status{};
}

// Until the client has nothing more to say.
uint64_t Receive(int listener) {
  Fd connection(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  std::vector<char> buffer(kChunkBytes);
  uint64_t received = 0;
  for (;;) {
    ssize_t got = recv(connection.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return received;
    received += static_cast<uint64_t>(got);
  }
}

Result<uint64_t> Send(int client, const Address& server, uint64_t bytes) {
  if (connect(client, server.get(), server.size)) return Failed("connect", "socket", errno);
  std::vector<char> buffer(kChunkBytes, 'p');
  for (uint64_t left = bytes; left > 0;) {
    ssize_t put = send(client, buffer.data(), std::min<uint64_t>(left, buffer.size()), MSG_NOSIGNAL);
    if (put < 0) return Failed("send", "socket", errno);
    left -= static_cast<uint64_t>(put);
  }
  shutdown(client, SHUT_WR);
  // The server closes when it has read all of it.
  if (recv(client, buffer.data(), buffer.size(), 0) != 0) return Failed("wait for the end", "socket", errno);
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &size)) return Failed("ask", "TCP_INFO", errno);
  return uint64_t{info.tcpi_bytes_sent};
}

}  // namespace

Result<Transferred> Transfer(NamespaceThread& namespaces, const TransferPlan& plan) {
  Address server = AddressOf(plan.server_address);
  Fd listener, client;
  Status status = namespaces.In(plan.server_netns, [&] {
    Status made = MakeSocket(server.storage.ss_family, listener);
    if (!made.ok()) return made;
    if (bind(listener.get(), server.get(), server.size) || listen(listener.get(), 1))
      return Failed("listen", plan.server_address, errno);
    return Status{};
  });
  if (!status.ok()) return status;
  status = namespaces.In(plan.client_netns, [&] { return MakeSocket(server.storage.ss_family, client); });
  if (!status.ok()) return status;
  Transferred done;
  std::thread receiver([&] { done.received = Receive(listener.get()); });
  Result<uint64_t> sent = Send(client.get(), server, plan.bytes);
  receiver.join();
  if (!sent.ok()) return sent.status;
  done.sent = *sent;
  return done;
}

}  // namespace podweir
