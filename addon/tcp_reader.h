// What the kernel says of TCP's health, as increases since the last reading.
#ifndef PODWEIR_TCP_READER_H
#define PODWEIR_TCP_READER_H

#include <cstdint>

#include "drain_rows.h"
#include "flow.h"
#include "zeroed_array.h"

namespace podweir {

class Probe;

class TcpReader {
 public:
  explicit TcpReader(const Probe& probe);

  // Adds what is new of the slot to the row that comes next. False: nothing is.
  bool Read(uint32_t slot, bool last, DrainResult& result);
  void Forget(uint32_t slot);
  // What the slot says now was told by an earlier process, or is lost with it.
  void Adopt(uint32_t slot);

 private:
  struct Seen {
    uint64_t rtt_sum_ns;
    uint32_t events, retransmits, out_of_order, duplicate_acks;
    // Of the lower half: more than that comes in no interval.
    uint16_t zero_windows, resets;
    bool look_again;  // the sum and its bucket are not written at once: what moved is looked at once more
  };
  // One cache line.
  struct alignas(64) SeenBothWays {
    Seen direction[DIRECTIONS];
  };
  struct Buckets {
    uint32_t direction[DIRECTIONS][RTT_BUCKETS];
  };

  bool ReadDirection(uint32_t slot, int direction, bool last, DrainResult& result);
  bool ReadBuckets(uint32_t slot, int direction, DrainResult& result);

  const Probe& probe_;
  ZeroedArray<SeenBothWays> seen_;
  ZeroedArray<Buckets> buckets_;
};

}  // namespace podweir

#endif
