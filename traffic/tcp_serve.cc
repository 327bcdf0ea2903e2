// A TCP server: answers each request of a fixed size with a response of a fixed size, or swallows a stream.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <unordered_map>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

struct Connection {
  podweir::Fd socket;
  uint64_t request_bytes_left;
  uint64_t response_bytes_left = 0;
};

class TcpServer {
 public:
  explicit TcpServer(const Arguments& arguments);
  // Handles what is there; false when nothing was.
  bool HandleEvents();
  int epoll() const { return epoll_.get(); }
  void PrintReport() const;

 private:
  void Accept();
  // false when the connection is at its end.
  bool Advance(Connection& connection);
  bool Swallow(Connection& connection);
  bool Read(Connection& connection);
  bool Write(Connection& connection);
  void Watch(int fd, uint32_t events, int operation);

  const bool sink_;
  const uint64_t request_bytes_;
  const std::string response_;
  podweir::Fd listener_;
  podweir::Fd epoll_;
  std::unordered_map<int, Connection> connections_;
  uint64_t accepted_ = 0;
  uint64_t requests_ = 0;
  uint64_t received_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t resets_ = 0;
};

TcpServer::TcpServer(const Arguments& arguments)
    : sink_(arguments.Has("sink")),
      request_bytes_(std::max<uint64_t>(1, arguments.Count("request", 64))),
      response_(arguments.Count("response", 256), 'r'),
      listener_(BindAny(SOCK_STREAM, Port(arguments))),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (listen(listener_.get(), 4096)) Fail("listen on", "port " + arguments.Text("port"), errno);
  Watch(listener_.get(), EPOLLIN, EPOLL_CTL_ADD);
}

void TcpServer::Watch(int fd, uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), operation, fd, &event)) Fail("watch", "connection", errno);
}

void TcpServer::Accept() {
  for (;;) {
    podweir::Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    accepted_++;
    Watch(socket.get(), EPOLLIN, EPOLL_CTL_ADD);
    const int fd = socket.get();
    connections_.insert_or_assign(fd, Connection{std::move(socket), request_bytes_});
  }
}

bool TcpServer::Swallow(Connection& connection) {
  // MSG_TRUNC lets TCP throw the bytes away without copying them.
  const ssize_t got = recv(connection.socket.get(), nullptr, 1 << 20, MSG_TRUNC);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  received_bytes_ += got;
  return true;
}

bool TcpServer::Read(Connection& connection) {
  char buffer[16384];
  const uint64_t room = std::min<uint64_t>(sizeof(buffer), connection.request_bytes_left);
  const ssize_t got = recv(connection.socket.get(), buffer, room, 0);
  if (got < 0 && errno == ECONNRESET) resets_++;
  if (got <= 0) return got < 0 && errno == EAGAIN;
  received_bytes_ += got;
  connection.request_bytes_left -= got;
  if (connection.request_bytes_left) return true;
  requests_++;
  connection.request_bytes_left = request_bytes_;
  connection.response_bytes_left = response_.size();
  return Write(connection);
}

bool TcpServer::Write(Connection& connection) {
  while (connection.response_bytes_left) {
    const ssize_t put = send(connection.socket.get(), response_.data(), connection.response_bytes_left, MSG_NOSIGNAL);
    if (put < 0 && errno == EAGAIN) {
      Watch(connection.socket.get(), EPOLLOUT, EPOLL_CTL_MOD);
      return true;
    }
    if (put < 0) return false;
    sent_bytes_ += put;
    connection.response_bytes_left -= put;
    if (!connection.response_bytes_left) Watch(connection.socket.get(), EPOLLIN, EPOLL_CTL_MOD);
  }
  return true;
}

bool TcpServer::Advance(Connection& connection) {
  if (sink_) return Swallow(connection);
  return connection.response_bytes_left ? Write(connection) : Read(connection);
}

bool TcpServer::HandleEvents() {
  epoll_event events[64];
  const int ready = epoll_wait(epoll_.get(), events, 64, 0);
  for (int i = 0; i < ready; i++) {
    const int fd = events[i].data.fd;
    if (fd == listener_.get()) {
      Accept();
    } else if (const auto found = connections_.find(fd); found != connections_.end() && !Advance(found->second)) {
      connections_.erase(found);
    }
  }
  return ready > 0;
}

void TcpServer::PrintReport() const {
  Report("tcp-serve")
      .Add("accepted", accepted_)
      .Add("requests", requests_)
      .Add("receivedBytes", received_bytes_)
      .Add("sentBytes", sent_bytes_)
      .Add("resets", resets_)
      .Add("open", connections_.size())
      .Print();
}

}  // namespace

// tcp-serve --port P [--request BYTES] [--response BYTES] | [--sink]
int TcpServe(const Arguments& arguments) {
  arguments.Allow({"port", "request", "response", "sink"});
  RaiseDescriptorLimit();
  Run run(arguments);
  TcpServer server(arguments);
  SayReady();
  while (run.Going()) {
    run.WaitReadable(server.epoll(), NowNs() + kSecond);
    server.HandleEvents();
  }
  // What clients sent before they ended is still in the sockets. Bounded, since one of them may go on.
  for (int left = 10000; left > 0 && server.HandleEvents(); left--) continue;
  server.PrintReport();
  return 0;
}

}  // namespace traffic
