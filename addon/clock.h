// Milliseconds of the machine's clocks.
#ifndef PODWEIR_CLOCK_H
#define PODWEIR_CLOCK_H

#include <chrono>
#include <cstdint>

namespace podweir {

template <typename Clock>
int64_t NowMs() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

inline int64_t WallMs() { return NowMs<std::chrono::system_clock>(); }
inline int64_t MonotonicMs() { return NowMs<std::chrono::steady_clock>(); }

}  // namespace podweir

#endif
