// Which slots a drain has to look at: the table is large, and mostly empty on a quiet node.
#ifndef PODWEIR_OCCUPIED_SLOTS_H
#define PODWEIR_OCCUPIED_SLOTS_H

#include <cstdint>
#include <vector>

namespace podweir {

class Probe;

class OccupiedSlots {
 public:
  explicit OccupiedSlots(const Probe& probe) : probe_(probe) {}

  // In order: those that were added since the call before, or all of the table where flows may have started since then.
  std::vector<uint32_t> Candidates(bool all);
  void Add(uint32_t slot) { occupied_.push_back(slot); }

 private:
  const Probe& probe_;
  std::vector<uint32_t> occupied_;
  uint64_t started_ = 0;
  int64_t started_seen_ms_ = 0, all_ms_ = 0;
};

}  // namespace podweir

#endif
