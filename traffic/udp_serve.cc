// Receives datagrams on one port or many, and answers each when asked.
#include <linux/sock_diag.h>
#include <sys/epoll.h>

#include <cerrno>
#include <string>
#include <vector>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

class UdpServer {
 public:
  explicit UdpServer(const Arguments& arguments);
  bool HandleEvents();
  int epoll() const { return epoll_.get(); }
  void PrintReport() const;

 private:
  void Receive(int socket);
  uint64_t Dropped() const;

  const bool answers_;
  const std::string answer_;
  podweir::Fd epoll_;
  std::vector<podweir::Fd> sockets_;
  uint64_t received_ = 0;
  uint64_t received_bytes_ = 0;
  uint64_t answered_ = 0;
};

UdpServer::UdpServer(const Arguments& arguments)
    : answers_(arguments.Has("answer")),
      answer_(arguments.Count("response", 128), 'a'),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  const uint64_t ports = arguments.Count("ports", 1);
  for (uint64_t i = 0; i < ports; i++) {
    sockets_.push_back(BindAny(SOCK_DGRAM, static_cast<uint16_t>(Port(arguments) + i)));
    GrowReceiveBuffer(sockets_.back(), 128 << 20);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = sockets_.back().get();
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event.data.fd, &event)) Fail("watch", "socket", errno);
  }
}

void UdpServer::Receive(int socket) {
  char buffer[65536];
  // Bounded, so that one busy port does not starve the others.
  for (int left = 64; left > 0; left--) {
    sockaddr_storage from;
    socklen_t length = sizeof(from);
    const ssize_t got = recvfrom(socket, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return;
    received_++;
    received_bytes_ += got;
    if (!answers_) continue;
    const ssize_t put = sendto(socket, answer_.data(), answer_.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    if (put >= 0) answered_++;
  }
}

bool UdpServer::HandleEvents() {
  epoll_event events[64];
  const int ready = epoll_wait(epoll_.get(), events, 64, 0);
  for (int i = 0; i < ready; i++) Receive(events[i].data.fd);
  return ready > 0;
}

uint64_t UdpServer::Dropped() const {
  uint64_t dropped = 0;
  for (const podweir::Fd& socket : sockets_) {
    uint32_t memory[SK_MEMINFO_VARS] = {};
    socklen_t length = sizeof(memory);
    getsockopt(socket.get(), SOL_SOCKET, SO_MEMINFO, memory, &length);
    dropped += memory[SK_MEMINFO_DROPS];
  }
  return dropped;
}

void UdpServer::PrintReport() const {
  Report("udp-serve")
      .Add("received", received_)
      .Add("receivedBytes", received_bytes_)
      .Add("answered", answered_)
      .Add("dropped", Dropped())
      .Print();
}

}  // namespace

// udp-serve --port P [--ports N] [--answer [--response BYTES]]
int UdpServe(const Arguments& arguments) {
  arguments.Allow({"port", "ports", "answer", "response"});
  RaiseDescriptorLimit();
  Run run(arguments);
  UdpServer server(arguments);
  SayReady();
  while (run.Going()) {
    run.WaitReadable(server.epoll(), NowNs() + kSecond);
    server.HandleEvents();
  }
  for (int left = 10000; left > 0 && server.HandleEvents(); left--) continue;
  server.PrintReport();
  return 0;
}

}  // namespace traffic
