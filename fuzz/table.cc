#include "table.h"

#include <algorithm>
#include <map>

#include "demand.h"
#include "kernel.h"

namespace podweir {
namespace {

uint8_t StateOf(const flow_slot& slot) { return slot.half[FROM_POD].state; }
bool IsLive(const flow_slot& slot) { return StateOf(slot) == SLOT_IPV4 || StateOf(slot) == SLOT_IPV6; }
bool IsIpv4(const flow_slot& slot) { return (StateOf(slot) & ~(SLOT_RETIRING | SLOT_REPLACED)) == SLOT_IPV4; }

// In both names it is in the same place.
uint32_t InterfaceOf(const flow_slot& slot) { return slot.half[FROM_POD].key4.interface_slot; }

const void* KeyOf(const flow_slot& slot, const flow_details& details) {
  return IsIpv4(slot) ? static_cast<const void*>(&slot.half[FROM_POD].key4) : &details.key6;
}

bool IsZero(const void* memory, size_t bytes) {
  const auto* begin = static_cast<const uint8_t*>(memory);
  return std::all_of(begin, begin + bytes, [](uint8_t byte) { return byte == 0; });
}

Count CountOf(const flow_slot& slot, flow_direction direction) {
  return {slot.half[direction].packets, slot.half[direction].bytes};
}

}  // namespace

Count& Count::operator+=(const Count& other) {
  packets += other.packets;
  bytes += other.bytes;
  return *this;
}

Count Books::kept() const {
  Count sum = in_slots;
  for (const Count& part : {other, overflow, filtered}) sum += part;
  return sum;
}

Table::Table(uint32_t flow_slots, uint32_t collapsed_slots)
    : flow_slots_(flow_slots),
      slot_count_(flow_slots + collapsed_slots),
      scratch_(MapNamed("scratch")),
      interface_totals_(MapNamed("interface_totals")),
      index4_(MapNamed("index4")),
      index6_(MapNamed("index6")),
      slots_(MapNamed("slots")),
      slot_details_(MapNamed("slot_details")),
      free_slots_(MapNamed("free_slots")),
      free_collapsed_(MapNamed("free_collapsed")),
      slot_use_(MapNamed("slot_use")),
      class_counts_(MapNamed("class_counts")) {}

void Table::Load() {
  uint32_t collapsed_slots = slot_count_ - flow_slots_;
  ResetMaps({{"index4", slot_count_},
             {"index6", slot_count_},
             {"slots", slot_count_},
             {"slot_details", slot_count_},
             {"free_slots", flow_slots_},
             {"free_collapsed", collapsed_slots}});
  reset_globals(flow_slots_, collapsed_slots);
  for (uint32_t slot = slot_count_; slot-- > 0;) (slot < flow_slots_ ? free_slots_ : free_collapsed_).Push(&slot);
}

NativeMap& Table::IndexOf(const flow_slot& slot) { return IsIpv4(slot) ? index4_ : index6_; }

Books Table::BooksOf(uint32_t interface, flow_direction direction) {
  Books books;
  for (int cpu = 0; cpu < kCpus; cpu++) {
    const direction_totals& totals = interface_totals_.Entries<interface_totals>(cpu)[interface].direction[direction];
    books.seen += {totals.seen_packets, totals.seen_bytes};
    books.other += {totals.other_packets, totals.other_bytes};
    books.overflow += {totals.overflow_packets, totals.overflow_bytes};
    books.filtered += {totals.filtered_packets, totals.filtered_bytes};
  }
  const class_totals& classes = class_counts_.Entries<class_totals>()[interface];
  for (int i = 0; i < PACKET_CLASSES; i++)
    books.classes[i] = {classes.packets[direction][i], classes.bytes[direction][i]};
  books.in_slots = retired_[interface][direction];
  for (uint32_t number = 0; number < slot_count_; number++) {
    const flow_slot& slot = slots()[number];
    if (StateOf(slot) != SLOT_FREE && InterfaceOf(slot) == interface) books.in_slots += CountOf(slot, direction);
  }
  return books;
}

void Table::BeginRetiring(uint32_t number) {
  flow_slot& slot = slots()[number % slot_count_];
  if (!IsLive(slot)) return;
  const void* key = KeyOf(slot, details()[number % slot_count_]);
  NativeMap& index = IndexOf(slot);
  for (flow_half& half : slot.half) half.state |= SLOT_RETIRING;
  const uint32_t* named = index.Find(key);
  if (named && *named == number % slot_count_) index.Delete(key);
}

void Table::FreeRetired() {
  auto* use = slot_use_.Entries<slot_use>();
  for (uint32_t number = 0; number < slot_count_; number++) {
    flow_slot& slot = slots()[number];
    if (!(StateOf(slot) & (SLOT_RETIRING | SLOT_REPLACED))) continue;
    uint32_t interface = InterfaceOf(slot);
    for (flow_direction direction : {FROM_POD, TO_POD}) retired_[interface][direction] += CountOf(slot, direction);
    bool collapsed = number >= flow_slots_;
    for (slot_use* each : {&use[0], &use[interface]}) (collapsed ? each->collapsed_retired : each->retired)++;
    slot = flow_slot{};
    details()[number] = flow_details{};
    demand(!(collapsed ? free_collapsed_ : free_slots_).Push(&number), "there is room for each slot on its stack");
  }
}

void Table::Check(bool disturbed) {
  CheckStack(free_slots_, 0, flow_slots_);
  CheckStack(free_collapsed_, flow_slots_, slot_count_);
  CheckUse();
  size_t indexed = 0;
  for (uint32_t number = 0; number < slot_count_; number++) {
    const flow_slot& slot = slots()[number];
    demand(StateOf(slot) == slot.half[TO_POD].state, "both directions of a slot have one state");
    if (StateOf(slot) == SLOT_FREE) continue;
    CheckTcp(slot, details()[number]);
    const uint32_t* named = IndexOf(slot).Find(KeyOf(slot, details()[number]));
    bool is_named = named && *named == number;
    indexed += is_named;
    if (IsLive(slot)) CheckLive(number, disturbed || is_named);
    else demand(!is_named, "the index names no slot that leaves");
  }
  demand(indexed == index4_.size() + index6_.size(), "the index names slots of their own flows only");
  for (int cpu = 0; cpu < kCpus; cpu++) demand(!scratch(cpu).slot_push_failed, "no slot fails to return");
}

void Table::CheckLive(uint32_t number, bool may_be_unnamed) {
  const flow_half &from = slots()[number].half[FROM_POD], &to = slots()[number].half[TO_POD];
  demand(!memcmp(from.name, to.name, sizeof(from.name)), "both directions have one name");
  if (!IsIpv4(slots()[number]))
    demand(!memcmp(&from.rest_of_key6, &details()[number].key6.local_port, sizeof(from.rest_of_key6)),
           "a name has what is behind the key's addresses");
  demand((number >= flow_slots_) == !!(from.key4.flags & FLOW_COLLAPSED),
         "collapsed flows and no others have slots of their own");
  demand(may_be_unnamed, "the index names each live flow");
}

void Table::CheckStack(NativeMap& stack, uint32_t from, uint32_t to) {
  std::vector<bool> known(to - from);
  for (const auto& value : stack.stack()) {
    uint32_t number = *reinterpret_cast<const uint32_t*>(value.data());
    demand(number >= from && number < to && !known[number - from], "a stack holds each of its slots once");
    demand(IsZero(&slots()[number], sizeof(flow_slot)), "a slot on a stack is empty");
    known[number - from] = true;
  }
  for (uint32_t number = from; number < to; number++)
    demand(known[number - from] || StateOf(slots()[number]) != SLOT_FREE, "no slot is lost");
}

// Entry 0 is that of all.
void Table::CheckUse() {
  const auto* use = slot_use_.Entries<slot_use>();
  std::map<uint32_t, slot_use> counted{{0, {}}};
  for (uint32_t number = 0; number < slot_count_; number++) {
    const flow_slot& slot = slots()[number];
    if (StateOf(slot) == SLOT_FREE) continue;
    for (uint32_t interface : {uint32_t{0}, InterfaceOf(slot)})
      (number < flow_slots_ ? counted[interface].started : counted[interface].collapsed_started)++;
  }
  for (const auto& [interface, in_use] : counted) {
    const slot_use& told = use[interface];
    demand(told.started - told.retired == in_use.started, "slots in use are started and not retired");
    demand(told.collapsed_started - told.collapsed_retired == in_use.collapsed_started,
           "collapsed slots in use are started and not retired");
  }
}

// What is told of packets is told of packets that are counted here.
void Table::CheckTcp(const flow_slot& slot, const flow_details& details) {
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    const flow_tcp& tcp = details.tcp[direction];
    uint64_t packets = slot.half[direction].packets, answers = slot.half[!direction].packets;
    demand(uint64_t{tcp.retransmits} + tcp.out_of_order <= packets, "no more retransmissions than packets");
    demand(tcp.duplicate_acks <= packets && tcp.zero_windows <= packets && tcp.resets <= packets,
           "no more acknowledgments, windows and resets than packets");
    uint64_t samples = 0;
    for (uint32_t bucket : details.rtt_buckets[direction]) samples += bucket;
    demand(samples <= answers, "a packet ends one round trip at most");
    demand(samples || !tcp.rtt_sum_ns, "a sum of round trips has its samples");
  }
}

}  // namespace podweir
