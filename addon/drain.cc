#include "drain.h"

#include <algorithm>

#include "clock.h"
#include "interface_rows.h"
#include "slot_view.h"

namespace podweir {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr uint32_t kSlotsAhead = 12;
constexpr size_t kSpareRows = 8;  // room for a part more than last time

// There is something that the interface's rows before did not say.
bool HasNews(const Interface& interface) {
  return !interface.present || !interface.hooked[FROM_POD] || !interface.hooked[TO_POD] || !HasRested(interface);
}

}  // namespace

Drain::Drain(Probe& probe, const DrainOptions& options)
    : probe_(probe),
      times_(options.retire),
      reader_(probe, options.retire),
      audit_(probe, options.audit_every),
      retirement_(probe, reader_, audit_),
      occupied_(probe),
      rest_(probe),
      silent_(INTERFACE_SLOTS) {
  if (probe.adoption().adopted) Adopt();
}

void Drain::Adopt() {
  Journal& journal = *probe_.journal();
  sequence_ = journal.ledger_sequence();
  for (uint32_t slot = 1; slot < INTERFACE_SLOTS; slot++) {
    const InterfaceRecord& record = journal.record(slot);
    audit_.Adopt(slot, record.retired);
    sequence_ = std::max(sequence_, record.ended_in);
  }
  for (uint32_t slot = 0; slot < probe_.slot_count(); slot++) {
    uint32_t generation = probe_.details()[slot].identity.generation;
    bool given_up = !probe_.IsUnclaimed(InterfaceOf(First(probe_.slots()[slot])));
    reader_.Adopt(slot, journal.Delivered(slot, generation), given_up);
  }
}

DrainResult Drain::Run(uint32_t mark) {
  DrainResult result;
  result.sequence = ++sequence_;
  result.flows.Reserve(last_rows_ + last_rows_ / kSpareRows);
  reader_.Begin({ClockNs(CLOCK_MONOTONIC), WallMinusMonotonicMs()});
  result.read_at_ms = static_cast<double>(ClockNs(CLOCK_REALTIME)) / kNsPerMs;
  Result<Netlink> opened = Netlink::Open();
  Netlink* netlink = opened.ok() ? &*opened : nullptr;
  GiveBackOver();
  std::vector<uint32_t> ending = UnhookEnding(netlink);
  Scan(ending, result);
  // What still has flows in the table is not over yet.
  if (!retirement_.Run(result)) ending.clear();
  audit_.RunIfDue();
  ReadInterfaces(netlink, ending, result);
  result.faults = probe_.Faults();
  result.faults.slot_push_failed += retirement_.push_failed();
  result.audit = audit_.result();
  result.flows.Finish();
  last_rows_ = result.flows.size();
  if (mark && probe_.journal()) {
    probe_.journal()->BeginMark(mark);
    reader_.Mark(*probe_.journal());
  }
  return result;
}

void Drain::Scan(const std::vector<uint32_t>& ending, DrainResult& result) {
  const flow_slot* slots = probe_.slots();
  const WaitLimits limits = LimitsAt(times_, probe_.SlotsInUse(), probe_.flow_limit());
  const std::vector<uint32_t> candidates = occupied_.Candidates(!ending.empty());
  for (size_t i = 0; i < candidates.size(); i++) {
    const uint32_t slot = candidates[i];
    reader_.Expect(candidates[std::min(i + kSlotsAhead, candidates.size() - 1)]);
    uint8_t state = ReadOnce(First(slots[slot]).state);
    if (state == SLOT_FREE || reader_.is_leaving(slot)) continue;
    occupied_.Add(slot);
    if (silent_[InterfaceOf(First(slots[slot]))]) {
      result.live_flows++;
      continue;
    }
    bool orphan = !ending.empty() && std::count(ending.begin(), ending.end(), InterfaceOf(First(slots[slot])));
    // The mark is of a retirement that an earlier agent could not end.
    Leaving why = orphan                  ? Leaving::kInterfaceGone
                  : IsReplaced(state)     ? Leaving::kReplaced
                  : state & SLOT_RETIRING ? Leaving::kTime
                                          : Leaving::kNo;
    // What leaves in any case is read when it does: a flow that starts now has one row, not two.
    if (why == Leaving::kNo) {
      reader_.Read(slot, result);
      if (reader_.IsDue(slot, limits)) why = Leaving::kTime;
    }
    if (why == Leaving::kNo) {
      result.live_flows++;
      result.collapsed_flows += slot >= probe_.flow_limit();
      continue;
    }
    reader_.SetLeaving(slot);
    retirement_.Add(slot, why);
  }
}

// Whoever got the last row of an interface has written it down: its number is free.
void Drain::GiveBackOver() {
  std::vector<uint32_t> over;
  {
    std::lock_guard lock(probe_.mutex());
    for (auto& [slot, interface] : probe_.interfaces()) {
      bool held = interface.held && interface.state == InterfaceState::kAttached;
      silent_[slot] = held || interface.state == InterfaceState::kUnclaimed;
      if (interface.state != InterfaceState::kOver) continue;
      if (probe_.journal()->ledger_sequence() >= probe_.journal()->record(slot).ended_in) over.push_back(slot);
    }
  }
  GiveBack(over);
}

void Drain::GiveBack(const std::vector<uint32_t>& over) {
  for (uint32_t slot : over) {
    probe_.GiveBack(slot);
    audit_.Forget(slot);
  }
}

// The device is read right behind the unhooking: what it counts from then on is nobody's.
std::vector<uint32_t> Drain::UnhookEnding(Netlink* netlink) {
  std::vector<uint32_t> ending;
  std::lock_guard lock(probe_.mutex());
  for (auto& [slot, interface] : probe_.interfaces()) {
    if (interface.state != InterfaceState::kEnding) continue;
    if (interface.attachment) {
      interface.attachment->Unhook();
      if (netlink) probe_.ReadDevice(interface, *netlink);
    }
    ending.push_back(slot);
  }
  if (!ending.empty()) probe_.WaitForPrograms();
  return ending;
}

// Its number is given to another only when its last row can't be lost any more.
void Drain::End(Interface& interface, uint32_t sequence) {
  InterfaceRecord& record = probe_.journal()->record(interface.slot);
  record.ended_in = sequence;
  __atomic_store_n(&record.state, static_cast<uint32_t>(kOver), __ATOMIC_RELEASE);
  interface.state = InterfaceState::kOver;
}

void Drain::ReadInterfaces(Netlink* netlink, const std::vector<uint32_t>& ending, DrainResult& result) {
  std::vector<uint32_t> over;
  {
    std::lock_guard lock(probe_.mutex());
    if (netlink) rest_.Begin(*netlink);
    for (auto& [slot, interface] : probe_.interfaces()) {
      bool ended = interface.state == InterfaceState::kEnding;
      if (interface.state == InterfaceState::kOver) continue;
      if (!interface.attachment || (ended && !std::count(ending.begin(), ending.end(), slot))) continue;
      // Its row would be the one before.
      if (!ended && netlink && rest_.Has(interface, *netlink)) continue;
      // Classes first: no class then has more than what was seen.
      class_totals classes = probe_.Classes(slot);
      interface_totals totals = probe_.Totals(slot);
      if (!ended && netlink) {
        probe_.ReadDevice(interface, *netlink);
        probe_.CheckHooks(interface, totals);
        Probe::CheckBypass(interface, reader_.acknowledged_unseen(slot));
        // Once more, since reading a device may wait for RTNL: what it counted meanwhile we did not miss.
        totals = probe_.Totals(slot);
      }
      if (ended || !netlink || HasNews(interface)) AddInterface(interface, totals, classes, result.interfaces);
      // Of a device that is gone the last reading goes with the totals of its time.
      if (interface.present) probe_.Record(interface, totals);
    }
    for (uint32_t slot : ending)
      if (Interface& interface = probe_.interfaces()[slot]; probe_.journal() && interface.attachment)
        End(interface, result.sequence);
      else over.push_back(slot);
  }
  GiveBack(over);
}

}  // namespace podweir
