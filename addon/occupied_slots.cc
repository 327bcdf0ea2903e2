#include "occupied_slots.h"

#include <numeric>
#include <utility>

#include "clock.h"
#include "probe.h"

namespace podweir {
namespace {

// A program counts the start of a flow before its slot shows it, and a virtual processor may be stopped in between.
constexpr int64_t kSettleMs = 3'000;
// However long one was stopped.
constexpr int64_t kAllEveryMs = 30'000;

}  // namespace

std::vector<uint32_t> OccupiedSlots::Candidates(bool all) {
  int64_t now_ms = MonotonicMs();
  uint64_t started = probe_.FlowsStarted();
  if (started != started_ || !started_seen_ms_) {
    started_ = started;
    started_seen_ms_ = now_ms;
  }
  std::vector<uint32_t> candidates = std::exchange(occupied_, {});
  if (!all && now_ms - started_seen_ms_ >= kSettleMs && now_ms - all_ms_ < kAllEveryMs) return candidates;
  all_ms_ = now_ms;
  candidates.resize(probe_.slot_count());
  std::iota(candidates.begin(), candidates.end(), 0);
  return candidates;
}

}  // namespace podweir
