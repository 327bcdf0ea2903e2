// Plays the records of an input one after the other, or one in the middle of another.
#ifndef PODWEIR_FUZZ_PLAYER_H
#define PODWEIR_FUZZ_PLAYER_H

#include <cstddef>
#include <cstdint>
#include <functional>

#include "flow.h"
#include "maps.h"
#include "skb.h"

namespace podweir {

class Player {
 public:
  // `play` is called for each record, and for one that interrupts another while that is played.
  Player(const uint8_t* data, size_t size, std::function<void(const record&)> play)
      : data_(data), size_(size), play_(std::move(play)) {}

  // False at the end of the input.
  bool Next();

  // Passes the record's packet through the program of its direction, as the interface's dispatcher does.
  const __sk_buff* Send(const record& record, uint32_t interface_slot);

  // While `action` runs, whatever the record says happens at its call of a helper or of a map's system call.
  void Interrupted(const record& record, const std::function<void()>& action);

  // Something was interrupted by another record so far.
  bool disturbed() const { return disturbed_; }
  bool is_interrupting() const { return machine.cpu != 0; }

 private:
  const uint8_t* data_;
  size_t size_;
  std::function<void(const record&)> play_;
  bool disturbed_ = false;
};

inline flow_direction DirectionOf(const record& record) {
  return record.header.flags & RECORD_TO_POD ? TO_POD : FROM_POD;
}

inline int InterruptionOf(const record& record) { return record.header.interruption >> 6; }

}  // namespace podweir

#endif
