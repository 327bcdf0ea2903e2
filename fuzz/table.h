// The kernel programs' maps as user space would see them: books of packets, slots, and the rules that both keep.
#ifndef PODWEIR_FUZZ_TABLE_H
#define PODWEIR_FUZZ_TABLE_H

#include <cstdint>

#include "flow.h"
#include "maps.h"

namespace podweir {

struct Count {
  uint64_t packets = 0, bytes = 0;

  Count& operator+=(const Count& other);
  Count operator-(const Count& other) const { return {packets - other.packets, bytes - other.bytes}; }
  bool operator==(const Count&) const = default;
};

// One interface's in one direction.
struct Books {
  Count seen, in_slots, other, overflow, filtered;
  Count classes[PACKET_CLASSES];

  Count kept() const;
};

class Table {
 public:
  Table(uint32_t flow_slots, uint32_t collapsed_slots);

  // As the addon does it.
  void Load();

  Books BooksOf(uint32_t interface, flow_direction direction);

  // What user space does: takes the key out of the index, and gives the slot back when no program runs.
  void BeginRetiring(uint32_t number);
  void FreeRetired();

  // Of slots, stacks and indexes. `disturbed`: two CPUs or user space have met in the middle of a packet.
  void Check(bool disturbed);

 private:
  cpu_scratch& scratch(int cpu) { return *scratch_.Entries<cpu_scratch>(cpu); }
  flow_slot* slots() { return slots_.Entries<flow_slot>(); }
  flow_details* details() { return slot_details_.Entries<flow_details>(); }
  NativeMap& IndexOf(const flow_slot& slot);
  void CheckStack(NativeMap& stack, uint32_t from, uint32_t to);
  void CheckUse();
  void CheckLive(uint32_t number, bool disturbed);
  void CheckTcp(const flow_slot& slot, const flow_details& details);

  const uint32_t flow_slots_, slot_count_;
  NativeMap &scratch_, &interface_totals_, &index4_, &index6_, &slots_, &slot_details_, &free_slots_, &free_collapsed_,
      &slot_use_, &class_counts_;
  Count retired_[INTERFACE_SLOTS][DIRECTIONS];
};

}  // namespace podweir

#endif
