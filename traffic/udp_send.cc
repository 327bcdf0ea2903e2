// Sends an exact number of datagrams over an exact number of five-tuples, and counts the answers when asked.
#include <sys/epoll.h>

#include <algorithm>
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

class UdpSender {
 public:
  explicit UdpSender(const Arguments& arguments);
  void Work(Run& run);
  void PrintReport() const;

 private:
  // false when the kernel has no room now.
  bool SendNext();
  void ReadAnswers();
  void AwaitAnswers(Run& run, uint64_t silence_ns);

  const Endpoint target_;
  const uint16_t port_;
  const uint64_t count_;
  const uint64_t tuples_;
  // Tuples differ by destination port first, then by source port.
  const uint64_t ports_;
  const std::string payload_;
  const bool expects_answers_;
  const double rate_;
  podweir::Fd epoll_;
  std::vector<podweir::Fd> sockets_;
  uint64_t sent_ = 0;
  uint64_t answers_ = 0;
};

UdpSender::UdpSender(const Arguments& arguments)
    : target_(Endpoint::Target(arguments)),
      port_(Port(arguments)),
      count_(arguments.Count("count", UINT64_MAX)),
      tuples_(std::max<uint64_t>(1, arguments.Count("tuples", 1))),
      ports_(std::clamp<uint64_t>(arguments.Count("ports", 1), 1, tuples_)),
      payload_(arguments.Count("size", 64), 'u'),
      expects_answers_(arguments.Has("expect-answer")),
      rate_(arguments.Decimal("rate", 40000)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  for (uint64_t i = 0; i < (tuples_ + ports_ - 1) / ports_; i++) {
    sockets_.push_back(OpenSocket(target_.family(), SOCK_DGRAM));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = sockets_.back().get();
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event.data.fd, &event)) Fail("watch", "socket", errno);
  }
}

bool UdpSender::SendNext() {
  const uint64_t tuple = sent_ % tuples_;
  const Endpoint to = target_.WithPort(static_cast<uint16_t>(port_ + tuple % ports_));
  const ssize_t put =
      sendto(sockets_[tuple / ports_].get(), payload_.data(), payload_.size(), 0, to.address(), to.length());
  if (put >= 0) sent_++;
  if (put < 0 && errno != EAGAIN && errno != ENOBUFS) Fail("send to", "target", errno);
  return put >= 0;
}

void UdpSender::ReadAnswers() {
  char buffer[65536];
  epoll_event events[64];
  const int ready = epoll_wait(epoll_.get(), events, 64, 0);
  for (int i = 0; i < ready; i++)
    while (recv(events[i].data.fd, buffer, sizeof(buffer), 0) >= 0) answers_++;
}

void UdpSender::AwaitAnswers(Run& run, uint64_t silence_ns) {
  uint64_t before = UINT64_MAX;
  while (answers_ < sent_ && answers_ != before) {
    before = answers_;
    run.WaitReadable(epoll_.get(), NowNs() + silence_ns);
    ReadAnswers();
  }
}

void UdpSender::Work(Run& run) {
  const Pace pace(rate_, NowNs());
  while (run.Going() && sent_ < count_) {
    const uint64_t due = pace.DueNs(sent_);
    if (NowNs() < due && expects_answers_) {
      run.WaitReadable(epoll_.get(), due);
    } else if (NowNs() < due) {
      run.Sleep(due);
    } else if (!SendNext()) {
      run.Sleep(NowNs() + kMillisecond);
    }
    if (expects_answers_) ReadAnswers();
  }
  if (expects_answers_) AwaitAnswers(run, kSecond / 2);
}

void UdpSender::PrintReport() const {
  Report("udp-send")
      .Add("sent", sent_)
      .Add("sentBytes", sent_ * payload_.size())
      .Add("tuples", std::min(sent_, tuples_))
      .Add("answers", answers_)
      .Print();
}

}  // namespace

// udp-send --to A --port P [--count N] [--size BYTES] [--tuples T] [--ports N] [--rate PER_SECOND] [--expect-answer]
int UdpSend(const Arguments& arguments) {
  arguments.Allow({"to", "port", "count", "size", "tuples", "ports", "rate", "expect-answer"});
  RaiseDescriptorLimit();
  Run run(arguments);
  UdpSender sender(arguments);
  sender.Work(run);
  sender.PrintReport();
  return 0;
}

}  // namespace traffic
