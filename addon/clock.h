// The machine's clocks.
#ifndef PODWEIR_CLOCK_H
#define PODWEIR_CLOCK_H

#include <time.h>

#include <cstdint>

namespace podweir {

int64_t ClockNs(clockid_t clock);
// By the pair of readings that lie closest together: a reading is now and then interrupted.
double WallMinusMonotonicMs();

inline int64_t WallMs() { return ClockNs(CLOCK_REALTIME) / 1'000'000; }
inline int64_t MonotonicMs() { return ClockNs(CLOCK_MONOTONIC) / 1'000'000; }

}  // namespace podweir

#endif
