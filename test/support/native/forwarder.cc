#include "forwarder.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "namespace.h"

namespace podweir {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr size_t kLargestFrame = 128 << 10;  // with the virtio_net_hdr in front
constexpr int kReceiveBuffer = 64 << 20;
constexpr int kFramesInTurn = 64;

uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

Result<Fd> OpenOn(const std::string& device) {
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Failed("open packet socket on", device, errno);
  const int on = 1;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  if (setsockopt(fd.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
      setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer)) ||
      !address.sll_ifindex || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)))
    return Failed("bind packet socket to", device, errno);
  return fd;
}

}  // namespace

Result<std::unique_ptr<Forwarder>> Forwarder::Start(const ForwarderOptions& options) {
  NamespaceThread namespaces;
  Fd fds[2];
  Status status = namespaces.In(options.netns, [&] {
    for (int i = 0; i < 2; i++) {
      Result<Fd> opened = OpenOn(options.devices[i]);
      if (!opened.ok()) return opened.status;
      fds[i] = std::move(*opened);
    }
    return Status{};
  });
  if (!status.ok()) return status;
  return std::unique_ptr<Forwarder>(new Forwarder(options, std::move(fds[0]), std::move(fds[1])));
}

Forwarder::Forwarder(const ForwarderOptions& options, Fd first, Fd second)
    : options_(options),
      sockets_{std::move(first), std::move(second)},
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      buffer_(kLargestFrame),
      thread_([this] { Work(); }) {}

Forwarder::~Forwarder() { Stop(); }

int64_t Forwarder::Stop() {
  stopping_ = true;
  eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
  return error_ ? -error_ : sent_;
}

void Forwarder::Take(int from) {
  for (int i = 0; i < kFramesInTurn; i++) {
    ssize_t got = recv(sockets_[from].get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0) return;
    uint64_t number = ++taken_[from], due = NowNs() + options_.delay_ns;
    if (options_.late_every && number % options_.late_every == 0) due += options_.late_by_ns;
    frames_.push({due, number, 1 - from, {buffer_.begin(), buffer_.begin() + got}});
  }
}

void Forwarder::SendDue() {
  while (!frames_.empty() && frames_.top().due_ns <= NowNs()) {
    const Frame& frame = frames_.top();
    if (send(sockets_[frame.to].get(), frame.bytes.data(), frame.bytes.size(), 0) >= 0) sent_++;
    else if (errno == EAGAIN) return;
    else if (errno != ENOBUFS && !error_) error_ = errno;  // it is lost behind us
    frames_.pop();
  }
}

void Forwarder::Wait() {
  pollfd polls[] = {{sockets_[0].get(), POLLIN, 0}, {sockets_[1].get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
  uint64_t now = NowNs(), until = frames_.empty() ? now + kNsPerSecond : frames_.top().due_ns;
  uint64_t ns = until > now ? until - now : 0;
  timespec timeout{static_cast<time_t>(ns / kNsPerSecond), static_cast<long>(ns % kNsPerSecond)};
  ppoll(polls, 3, &timeout, nullptr);
}

void Forwarder::Work() {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(options_.cpu, &only);
  if (options_.cpu >= 0) sched_setaffinity(0, sizeof(only), &only);
  while (!stopping_) {
    Wait();
    Take(0);
    Take(1);
    SendDue();
    waiting_ = frames_.size();
  }
}

}  // namespace podweir
