#include "run.h"

#include <sys/signalfd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "failure.h"

namespace traffic {

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

Run::Run(const Arguments& arguments)
    : deadline_ns_(NowNs() + static_cast<uint64_t>(arguments.Decimal("for", 60) * kSecond)) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  signals_ = podweir::Fd(signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_.valid()) Fail("make", "signalfd", errno);
}

bool Run::Going() {
  if (signalled_) return false;
  signalfd_siginfo signal;
  signalled_ = read(signals_.get(), &signal, sizeof(signal)) == sizeof(signal);
  return !signalled_ && NowNs() < deadline_ns_;
}

void Run::Wait(std::vector<pollfd>& polls, uint64_t until_ns) {
  const uint64_t now = NowNs();
  // A deadline in the past is for those who drain what is left: they wait for their own time only.
  const uint64_t end = now < deadline_ns_ ? std::min(until_ns, deadline_ns_) : until_ns;
  const uint64_t left = end > now ? end - now : 0;
  const timespec timeout{static_cast<time_t>(left / kSecond), static_cast<long>(left % kSecond)};
  if (!signalled_) polls.push_back({signals_.get(), POLLIN, 0});
  ppoll(polls.data(), polls.size(), &timeout, nullptr);
  if (!signalled_) polls.pop_back();
}

void Run::Sleep(uint64_t until_ns) {
  std::vector<pollfd> nothing;
  Wait(nothing, until_ns);
}

void Run::WaitReadable(int fd, uint64_t until_ns) {
  std::vector<pollfd> one{{fd, POLLIN, 0}};
  Wait(one, until_ns);
}

}  // namespace traffic
