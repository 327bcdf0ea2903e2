#include "retire.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>

#include "flow.skel.h"
#include "flow_reader.h"
#include "probe.h"
#include "self_audit.h"
#include "slot_view.h"

namespace podweir {
namespace {

constexpr uint32_t kScarcePercent = 70;
constexpr uint32_t kNearlyFullPercent = 90;

}  // namespace

Wait WaitOf(State state) {
  switch (state) {
    case State::kNone:
      return Wait::kDatagram;
    case State::kConnecting:
      return Wait::kHalfOpen;
    case State::kEstablished:
    case State::kMidstream:
    case State::kClosing:
      return Wait::kIdle;
    case State::kClosed:
    case State::kResetByLocal:
    case State::kResetByRemote:
      return Wait::kClosed;
    default:
      return Wait::kFailed;
  }
}

WaitLimits LimitsAt(const RetireTimes& times, uint32_t slots_in_use, uint32_t slots) {
  uint64_t used = uint64_t{slots_in_use} * 100;
  bool scarce = used > uint64_t{slots} * kScarcePercent, nearly_full = used > uint64_t{slots} * kNearlyFullPercent;
  WaitLimits limits{};
  auto set = [&](Wait wait, int64_t ms) { limits.ms[static_cast<size_t>(wait)] = ms; };
  set(Wait::kDatagram, nearly_full ? times.datagram_ms / 2 : times.datagram_ms);
  set(Wait::kHalfOpen, times.half_open_ms);
  set(Wait::kIdle, scarce ? std::min(times.idle_ms, times.abandoned_ms) : times.abandoned_ms);
  set(Wait::kClosed, times.closed_ms);
  set(Wait::kFailed, times.failed_ms);
  return limits;
}

// Mark the slot, delete its key, wait until no program can hold it, read it a last time, zero it, push it back.
bool Retirement::Run(DrainResult& result) {
  if (leaving_.empty()) return true;
  for (const Leaver& leaver : leaving_)
    if (leaver.why != Leaving::kReplaced) TakeKey(leaver.slot);
  // Without the wait the slots can't be read for the last time.
  if (!probe_.WaitForPrograms().ok()) return false;
  for (const Leaver& leaver : leaving_) {
    reader_.ReadLast(leaver.slot, leaver.why, result);
    audit_.AddRetired(probe_.slots()[leaver.slot]);
    Free(leaver.slot);
  }
  leaving_.clear();
  return true;
}

// The key may name another slot by now: a new connection took it. One that takes it between our look and the deletion
// loses its key; its slot is retired for idleness, its packets start one more flow, and none is lost. Only a program
// that saw the slot before the mark can do that.
void Retirement::TakeKey(uint32_t slot) {
  flow_slot& leaving = probe_.slots()[slot];
  const flow_half& flow = First(leaving);
  uint8_t state = ReadOnce(flow.state);
  for (flow_half& half : leaving.half)
    __atomic_or_fetch(&half.state, static_cast<uint8_t>(SLOT_RETIRING), __ATOMIC_SEQ_CST);
  const auto& maps = probe_.skeleton()->maps;
  int index = bpf_map__fd(IsIpv4(state) ? maps.index4 : maps.index6);
  const void* key = IsIpv4(state) ? static_cast<const void*>(&flow.key4) : &probe_.details()[slot].key6;
  uint32_t named;
  if (!bpf_map_lookup_elem(index, key, &named) && named == slot) bpf_map_delete_elem(index, key);
}

void Retirement::Free(uint32_t slot) {
  Journal* journal = probe_.journal();
  uint16_t interface = InterfaceOf(First(probe_.slots()[slot]));
  uint32_t generation = reader_.Forget(slot);
  if (journal) journal->BeginReturn(slot, generation, slot >= probe_.flow_limit(), probe_.slots()[slot]);
  probe_.Zero(slot, generation);
  if (journal) journal->Zeroed();
  if (!probe_.Recycle(slot, interface)) push_failed_++;
  if (journal) journal->Returned();
}

}  // namespace podweir
