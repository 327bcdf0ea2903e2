#include "clock.h"

namespace podweir {

int64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

double WallMinusMonotonicMs() {
  int64_t best_span = INT64_MAX, difference = 0;
  for (int i = 0; i < 3; i++) {
    int64_t before = ClockNs(CLOCK_MONOTONIC), wall = ClockNs(CLOCK_REALTIME), after = ClockNs(CLOCK_MONOTONIC);
    if (after - before >= best_span) continue;
    best_span = after - before;
    difference = wall - before - (after - before) / 2;
  }
  return static_cast<double>(difference) / 1e6;
}

}  // namespace podweir
