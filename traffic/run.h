// How long a role works: until its deadline (`--for`, one minute when not given) or SIGTERM, whichever is first.
#ifndef PODWEIR_TRAFFIC_RUN_H
#define PODWEIR_TRAFFIC_RUN_H

#include <poll.h>

#include <cstdint>
#include <vector>

#include "../addon/handle.h"
#include "arguments.h"

namespace traffic {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMillisecond = 1'000'000;

uint64_t NowNs();

class Run {
 public:
  explicit Run(const Arguments& arguments);

  // false from the deadline or the signal on.
  bool Going();
  // Waits for one of `polls`, the signal, `until_ns` or the deadline.
  void Wait(std::vector<pollfd>& polls, uint64_t until_ns);
  void Sleep(uint64_t until_ns);
  // The same for the owner of an epoll instance.
  void WaitReadable(int fd, uint64_t until_ns);

 private:
  podweir::Fd signals_;
  uint64_t deadline_ns_;
  bool signalled_ = false;
};

// When the next piece of paced work is due. A rate of 0 means at once.
class Pace {
 public:
  Pace(double per_second, uint64_t start_ns)
      : interval_ns_(per_second > 0 ? kSecond / per_second : 0), start_ns_(start_ns) {}

  uint64_t DueNs(uint64_t done) const { return start_ns_ + static_cast<uint64_t>(interval_ns_ * done); }

 private:
  double interval_ns_;
  uint64_t start_ns_;
};

}  // namespace traffic

#endif
