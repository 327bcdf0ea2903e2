// Reads slots and remembers what of them was told: a row has what is new since the last one.
#ifndef PODWEIR_FLOW_READER_H
#define PODWEIR_FLOW_READER_H

#include <bitset>
#include <cstdint>

#include "connection.h"
#include "drain_rows.h"
#include "drain_time.h"
#include "flow.h"
#include "retire.h"
#include "retired_keys.h"
#include "tcp_reader.h"
#include "zeroed_array.h"

namespace podweir {

class Journal;
class Probe;
struct Watermark;

class FlowReader {
 public:
  FlowReader(const Probe& probe, const RetireTimes& times);

  void Begin(const DrainTime& time);
  // A flow of an earlier agent, if the slot has one. It goes on behind what was delivered of it; `given_up`: nobody
  // will be told of it, since its interface is gone.
  void Adopt(uint32_t slot, const Watermark* delivered, bool given_up);
  // Writes down what has been told of each flow by now.
  void Mark(Journal& journal) const;
  // A row when something is new.
  void Read(uint32_t slot, DrainResult& result) { ReadRow(slot, Leaving::kNo, result); }
  // Always a row. No program writes to the slot any more.
  void ReadLast(uint32_t slot, Leaving why, DrainResult& result);
  // Several slots before its turn: processors fetch ahead by themselves no further than to a page's end.
  void Expect(uint32_t slot) const {
    __builtin_prefetch(&slots_[slot].half[FROM_POD]);
    __builtin_prefetch(&slots_[slot].half[TO_POD]);
    __builtin_prefetch(&seen_[slot]);
  }
  bool IsDue(uint32_t slot, const WaitLimits& limits) const {
    const Seen& seen = seen_[slot];
    return now_ms_ - seen.since_ms >= limits.ms[static_cast<size_t>(seen.wait)];
  }
  void SetLeaving(uint32_t slot) { seen_[slot].leaving = true; }
  bool is_leaving(uint32_t slot) const { return seen_[slot].leaving; }
  // Since Begin, a connection of this interface acknowledged what we did not see.
  bool acknowledged_unseen(uint32_t interface_slot) const { return acknowledged_unseen_[interface_slot]; }
  // Returns the generation of the slot's next flow.
  uint32_t Forget(uint32_t slot);

 private:
  enum class Kind : uint8_t { kNew, kTcp, kRequest, kPlain };

  // One cache line: all that a scan needs of a flow that does not move.
  struct alignas(64) Seen {
    uint64_t packets[DIRECTIONS];
    uint64_t bytes[DIRECTIONS];
    int64_t since_ms;     // what `wait` counts from
    uint32_t generation;  // the slot's: only we change it, and the scan reads no line for it
    Connection connection;
    Wait wait;
    Kind kind;
    bool look_again;  // an event and what it tells of are not written at once: it is looked at once more
    bool leaving;
    bool adopted;     // to be told of although nothing moves
    bool given_up;    // not to be told of unless it moves
    uint8_t steps;    // of the handshake, and FINs
    uint8_t begun;    // what was told of how it began: bits of each direction
    uint32_t events;  // of both halves
  };

  static bool TakeCounts(const flow_slot& slot, Seen& seen, FlowRow& row);
  static bool TakeEvents(const flow_slot& slot, Seen& seen);
  void ReadRow(uint32_t slot, Leaving why, DrainResult& result);
  News LookAtTcp(uint32_t slot, bool moved);
  void Leave(uint32_t slot, Leaving why, News& news);
  bool ToldBefore(uint32_t slot) const;
  uint8_t RetiredAs(const Seen& seen, Leaving why) const;
  void AddStarted(uint32_t slot, StartedRows& rows);
  void AddTimes(uint32_t slot, FlowRows& rows) const;

  const uint32_t slot_count_;
  const flow_slot* const slots_;
  const flow_details* const details_;
  const int64_t connect_timeout_ns_, abandoned_ms_;
  ZeroedArray<Seen> seen_;
  TcpReader tcp_;
  RetiredKeys retired_;
  RetiredKeys timed_out_;  // attempts, by key and sequence number
  std::bitset<INTERFACE_SLOTS> acknowledged_unseen_;
  DrainTime time_;
  int64_t now_ms_ = 0;
};

}  // namespace podweir

#endif
