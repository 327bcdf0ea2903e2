// One TCP socket inside a network namespace, moved step by step by a test: nothing blocks, and every answer is the
// kernel's own.
#ifndef PODWEIR_ENDPOINT_SOCKET_H
#define PODWEIR_ENDPOINT_SOCKET_H

#include <cstdint>
#include <string>

#include "handle.h"
#include "status.h"

namespace podweir {

// Where a socket is bound or connected to; text of either family.
struct SocketAddress {
  std::string text;
  uint16_t port = 0;
};

struct SocketState {
  uint32_t tcp_state = 0;  // TCP_ESTABLISHED and so on, netinet/tcp.h
  uint32_t retransmits = 0;
  uint32_t unacknowledged = 0;  // packets
};

class EndpointSocket {
 public:
  static Result<EndpointSocket> Open(const std::string& netns, int family);

  // These return 0 or an errno.
  int Bind(const SocketAddress& address);
  int Connect(const SocketAddress& address);
  int Listen(int backlog);
  int Set(int level, int name, int value);
  int ShutDown();
  int TakeError();

  Result<EndpointSocket> Accept();
  // Bytes, or a negative errno. An address is for TCP Fast Open.
  int64_t Send(size_t bytes, int flags, const SocketAddress* address);
  // 0 at the end of the stream.
  int64_t Receive(size_t most);
  uint16_t LocalPort() const;
  SocketState State() const;
  void Close() { fd_.Close(); }

 private:
  explicit EndpointSocket(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace podweir

#endif
