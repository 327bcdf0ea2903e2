#include "player.h"

#include "demand.h"
#include "kernel.h"

namespace podweir {
namespace {

constexpr int kUnspecified = -1;  // TC_ACT_UNSPEC: not our decision
constexpr int kLongestPauseLog2 = 48;

}  // namespace

bool Player::Next() {
  record record;
  if (!next_record(&data_, &size_, &record)) return false;
  play_(record);
  return true;
}

const __sk_buff* Player::Send(const record& record, uint32_t interface_slot) {
  MapNamed("scratch").Entries<cpu_scratch>(machine.cpu)->interface_slot = interface_slot;
  __sk_buff* skb = make_skb(&record, linear_bytes_of(&record), machine.cpu);
  bool outer = machine.program_runs;
  machine.program_runs = true;
  demand(run_program(skb, DirectionOf(record)) == kUnspecified, "a program leaves the decision to others");
  machine.program_runs = outer;
  check_skb_unchanged(&record, machine.cpu);
  return skb;
}

void Player::Interrupted(const record& record, const std::function<void()>& action) {
  if (record.header.elapsed) machine.now_ns += 1ULL << record.header.elapsed % kLongestPauseLog2;
  if (is_interrupting() || InterruptionOf(record) == INTERRUPTION_NONE) return action();
  machine.helper_calls = 0;
  machine.interrupted_call = record.header.interruption & RECORD_CALL_MASK;
  machine.interruption = [this, kind = InterruptionOf(record)] {
    machine.interrupted_call = 0;
    if (kind == INTERRUPTION_FAILURE) machine.updates_fail = true;
    if (kind != INTERRUPTION_NEXT_RECORD) return;
    disturbed_ = true;
    machine.cpu = 1;
    Next();
    machine.cpu = 0;
  };
  action();
  machine.interrupted_call = 0;
  machine.updates_fail = false;
}

}  // namespace podweir
