#include "drain.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "flow.skel.h"

namespace podweir {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr size_t kAddressBytes = 16;

int64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// The pair of readings that lie closest together: a reading is now and then interrupted.
double WallMinusMonoMs() {
  int64_t best_span = INT64_MAX, difference = 0;
  for (int i = 0; i < 3; i++) {
    int64_t before = ClockNs(CLOCK_MONOTONIC), wall = ClockNs(CLOCK_REALTIME), after = ClockNs(CLOCK_MONOTONIC);
    if (after - before >= best_span) continue;
    best_span = after - before;
    difference = wall - before - (after - before) / 2;
  }
  return static_cast<double>(difference) / kNsPerMs;
}

// The kernel adds while we read.
template <typename T>
T Load(const T& value) {
  return __atomic_load_n(&value, __ATOMIC_RELAXED);
}

uint64_t Opened(const flow_slot& slot) {
  uint64_t opened = 0;
  for (const flow_counters& counters : slot.counters)
    opened += uint64_t{Load(counters.earlier_opened)} + (Load(counters.handshake) == HANDSHAKE_DONE);
  return opened;
}

// Both directions have the key and the state; what looks for live flows looks here.
const flow_counters& First(const flow_slot& slot) { return slot.counters[FROM_POD]; }

bool IsLive(uint8_t state) { return state == SLOT_IPV4 || state == SLOT_IPV6; }

uint16_t InterfaceOf(const flow_slot& slot) {
  return (First(slot).state & ~SLOT_RETIRING) == SLOT_IPV4 ? First(slot).key4.interface_slot
                                                           : First(slot).key6.interface_slot;
}

}  // namespace

void FlowRows::Reserve(size_t rows) {
  for (auto* column : {&slot, &generation, &opened}) column->reserve(rows);
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    packets[direction].reserve(rows);
    bytes[direction].reserve(rows);
  }
  ended.reserve(rows);
}

Drain::Drain(Probe& probe, int64_t idle_ms)
    : probe_(probe), idle_ms_(idle_ms), seen_(probe.flow_limit()), retired_(probe.flow_limit()) {}

DrainResult Drain::Run() {
  DrainResult result;
  result.sequence = ++sequence_;
  result.flows.Reserve(last_rows_);
  now_ms_ = ClockNs(CLOCK_MONOTONIC) / static_cast<int64_t>(kNsPerMs);
  wall_minus_mono_ms_ = WallMinusMonoMs();
  result.read_at_ms = static_cast<double>(ClockNs(CLOCK_REALTIME)) / kNsPerMs;
  Result<Netlink> opened = Netlink::Open();
  Netlink* netlink = opened.ok() ? &*opened : nullptr;
  std::vector<uint32_t> ending = UnhookEnding(netlink);
  const flow_slot* slots = probe_.slots();
  for (uint32_t slot = 0; slot < probe_.flow_limit(); slot++) {
    if (!IsLive(Load(First(slots[slot]).state))) continue;
    ReadSlot(slot, false, result);
    bool orphan = !ending.empty() && std::count(ending.begin(), ending.end(), InterfaceOf(slots[slot]));
    if (orphan || now_ms_ - seen_[slot].changed_ms >= idle_ms_) leaving_.push_back(slot);
    else result.live_flows++;
  }
  if (!leaving_.empty()) Retire(result);
  ReadInterfaces(netlink, ending, result);
  result.faults = probe_.Faults();
  last_rows_ = result.flows.slot.size();
  return result;
}

void Drain::ReadSlot(uint32_t slot, bool ended, DrainResult& result) {
  const flow_slot& from = probe_.slots()[slot];
  Seen& seen = seen_[slot];
  double packets[DIRECTIONS], bytes[DIRECTIONS];
  bool changed = false;
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    uint64_t packets_now = Load(from.counters[direction].packets), bytes_now = Load(from.counters[direction].bytes);
    packets[direction] = static_cast<double>(packets_now - seen.packets[direction]);
    bytes[direction] = static_cast<double>(bytes_now - seen.bytes[direction]);
    changed |= packets_now != seen.packets[direction] || bytes_now != seen.bytes[direction];
    seen.packets[direction] = packets_now;
    seen.bytes[direction] = bytes_now;
  }
  // A SYN on a finished connection moves two fields, one after the other: for a moment the sum is one too low.
  uint64_t opened_now = std::max(Opened(from), seen.opened);
  uint32_t opened = static_cast<uint32_t>(opened_now - seen.opened);
  seen.opened = opened_now;
  if (changed) seen.changed_ms = now_ms_;
  if (!seen.known) AddStarted(slot, result);
  else if (!changed && !opened && !ended) return;
  FlowRows& rows = result.flows;
  rows.slot.push_back(slot);
  rows.generation.push_back(seen.generation);
  rows.opened.push_back(opened);
  rows.ended.push_back(ended);
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    rows.packets[direction].push_back(packets[direction]);
    rows.bytes[direction].push_back(bytes[direction]);
  }
}

void Drain::AddStarted(uint32_t slot, DrainResult& result) {
  const flow_counters& flow = First(probe_.slots()[slot]);
  const flow_identity& identity = probe_.details()[slot].identity;
  bool v4 = flow.state == SLOT_IPV4;
  seen_[slot].known = true;
  seen_[slot].changed_ms = now_ms_;
  StartedRows& rows = result.started;
  rows.slot.push_back(slot);
  rows.generation.push_back(seen_[slot].generation);
  for (auto [address, to] : {std::pair{v4 ? &flow.key4.local : flow.key6.local, &rows.local_address},
                             std::pair{v4 ? &flow.key4.remote : flow.key6.remote, &rows.remote_address}}) {
    to->resize(to->size() + kAddressBytes);
    memcpy(to->data() + to->size() - kAddressBytes, address, v4 ? sizeof(*address) : kAddressBytes);
  }
  rows.family.push_back(v4 ? 4 : 6);
  rows.local_port.push_back(ntohs(v4 ? flow.key4.local_port : flow.key6.local_port));
  rows.remote_port.push_back(ntohs(v4 ? flow.key4.remote_port : flow.key6.remote_port));
  rows.protocol.push_back(v4 ? flow.key4.protocol : flow.key6.protocol);
  rows.flags.push_back(v4 ? flow.key4.flags : flow.key6.flags);
  rows.interface_slot.push_back(InterfaceOf(probe_.slots()[slot]));
  uint8_t opener = Load(identity.opener);
  bool first_from_pod = identity.first_direction == FROM_POD;
  uint8_t first_sender = first_from_pod ? OPENER_LOCAL : OPENER_REMOTE;
  rows.opener.push_back(opener != OPENER_UNKNOWN ? opener : first_sender);
  rows.confidence.push_back(opener != OPENER_UNKNOWN       ? kHandshake
                            : retired_.Contains(flow.key6) ? kResumed
                                                           : kFirstPacket);
  rows.start_ms.push_back(static_cast<double>(identity.started_ns) / kNsPerMs + wall_minus_mono_ms_);
}

// Delete the key, mark the slot, wait until no program can hold it, read it a last time, zero it, push it back.
void Drain::Retire(DrainResult& result) {
  const flow_bpf* skeleton = probe_.skeleton();
  flow_slot* slots = probe_.slots();
  for (uint32_t slot : leaving_) {
    const flow_counters& flow = First(slots[slot]);
    if (!IsLive(flow.state)) continue;  // marked by a drain whose wait failed
    if (flow.state == SLOT_IPV4) bpf_map_delete_elem(bpf_map__fd(skeleton->maps.index4), &flow.key4);
    else bpf_map_delete_elem(bpf_map__fd(skeleton->maps.index6), &flow.key6);
    uint8_t retiring = flow.state | SLOT_RETIRING;
    for (flow_counters& counters : slots[slot].counters) __atomic_store_n(&counters.state, retiring, __ATOMIC_RELEASE);
  }
  // Without the wait the slots can't be read for the last time: the next drain tries again.
  if (!probe_.WaitForPrograms().ok()) return;
  for (uint32_t slot : leaving_) {
    ReadSlot(slot, true, result);
    retired_.Add(First(slots[slot]).key6);
    FreeSlot(slot);
  }
  leaving_.clear();
}

void Drain::FreeSlot(uint32_t slot) {
  uint32_t generation = seen_[slot].generation + 1;
  probe_.slots()[slot] = flow_slot{};
  probe_.details()[slot] = flow_details{};
  probe_.details()[slot].identity.generation = generation;
  seen_[slot] = Seen{};
  seen_[slot].generation = generation;
  // Everything above must be visible before a program can pop the slot; the syscall is a full barrier.
  bpf_map_update_elem(bpf_map__fd(probe_.skeleton()->maps.free_slots), nullptr, &slot, BPF_ANY);
}

// The device is read right behind the unhooking: what it counts from then on is nobody's.
std::vector<uint32_t> Drain::UnhookEnding(Netlink* netlink) {
  std::vector<uint32_t> ending;
  std::lock_guard lock(probe_.mutex());
  for (auto& [slot, interface] : probe_.interfaces()) {
    if (interface.state != InterfaceState::kEnding) continue;
    interface.attachment->Unhook();
    if (netlink) probe_.ReadDevice(interface, *netlink);
    ending.push_back(slot);
  }
  if (!ending.empty()) probe_.WaitForPrograms();
  return ending;
}

void Drain::ReadInterfaces(Netlink* netlink, const std::vector<uint32_t>& ending, DrainResult& result) {
  InterfaceRows& rows = result.interfaces;
  {
    std::lock_guard lock(probe_.mutex());
    for (auto& [slot, interface] : probe_.interfaces()) {
      if (!interface.attachment) continue;
      bool ended = interface.state == InterfaceState::kEnding;
      if (ended && !std::count(ending.begin(), ending.end(), slot)) continue;
      interface_totals totals = probe_.Totals(slot);
      if (!ended && netlink) probe_.ReadDevice(interface, *netlink);
      rows.interface_slot.push_back(static_cast<uint16_t>(slot));
      rows.ended.push_back(ended);
      rows.device_present.push_back(interface.present);
      for (int i = 0; i < DIRECTIONS; i++) {
        const direction_totals& from = totals.direction[i];
        DirectionRows& to = rows.direction[i];
        auto add = [](std::vector<double>& column, uint64_t value) { column.push_back(static_cast<double>(value)); };
        add(to.skbs, from.skbs);
        add(to.skb_bytes, from.skb_bytes);
        add(to.seen_packets, from.seen_packets);
        add(to.seen_bytes, from.seen_bytes);
        add(to.other_packets, from.other_packets);
        add(to.other_bytes, from.other_bytes);
        add(to.overflow_packets, from.overflow_packets);
        add(to.overflow_bytes, from.overflow_bytes);
        add(to.filtered_packets, from.filtered_packets);
        add(to.filtered_bytes, from.filtered_bytes);
        add(to.device_packets, i == FROM_POD ? interface.last.tx_packets : interface.last.rx_packets);
        add(to.overseen_skbs, interface.overseen[i]);
        add(to.unobserved_skbs, interface.baseline.unobserved[i] + interface.bypassed[i]);
      }
    }
  }
  for (uint32_t slot : ending) probe_.GiveBack(slot);
}

}  // namespace podweir
