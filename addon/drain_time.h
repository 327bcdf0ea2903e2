// The time of one drain, on both clocks.
#ifndef PODWEIR_DRAIN_TIME_H
#define PODWEIR_DRAIN_TIME_H

#include <cstdint>

namespace podweir {

struct DrainTime {
  int64_t ns = 0;  // CLOCK_MONOTONIC, as the kernel's times
  double wall_minus_mono_ms = 0;

  int64_t ms() const { return ns / 1'000'000; }
  double WallMs(uint64_t event_ns) const { return static_cast<double>(event_ns) / 1e6 + wall_minus_mono_ms; }
};

}  // namespace podweir

#endif
