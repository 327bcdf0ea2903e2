// When a flow leaves the table, and how its slot comes back without losing a packet.
#ifndef PODWEIR_RETIRE_H
#define PODWEIR_RETIRE_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "connection.h"

namespace podweir {

class FlowReader;
class Probe;
class SelfAudit;
struct DrainResult;

// lib/capture/native-probe.ts says what each is for.
struct RetireTimes {
  int64_t closed_ms = 0, failed_ms = 0, half_open_ms = 0, datagram_ms = 0;
  int64_t idle_ms = 0, abandoned_ms = 0, connect_timeout_ms = 0;
};

// What a flow waits for in the table. The first three count from its last packet, the others from its end.
enum class Wait : uint8_t { kDatagram, kHalfOpen, kIdle, kClosed, kFailed };
constexpr size_t kWaits = 5;

Wait WaitOf(State state);

struct WaitLimits {
  int64_t ms[kWaits];
};

// Slots are lent for less time when they are scarce: above 70 % in use a silent connection is parked, above 90 % other
// protocols have half their time.
WaitLimits LimitsAt(const RetireTimes& times, uint32_t slots_in_use, uint32_t slots);

enum class Leaving : uint8_t { kNo, kTime, kReplaced, kInterfaceGone };

class Retirement {
 public:
  Retirement(Probe& probe, FlowReader& reader, SelfAudit& audit) : probe_(probe), reader_(reader), audit_(audit) {}

  void Add(uint32_t slot, Leaving why) { leaving_.push_back({slot, why}); }
  // Gives the slots back, each with its last row. False: the kernel could not be waited for, the next call tries again.
  bool Run(DrainResult& result);
  // Slots that were lost because they did not return to their stack.
  uint64_t push_failed() const { return push_failed_; }

 private:
  struct Leaver {
    uint32_t slot;
    Leaving why;
  };

  void TakeKey(uint32_t slot);
  void Free(uint32_t slot);

  Probe& probe_;
  FlowReader& reader_;
  SelfAudit& audit_;
  std::vector<Leaver> leaving_;
  uint64_t push_failed_ = 0;
};

}  // namespace podweir

#endif
