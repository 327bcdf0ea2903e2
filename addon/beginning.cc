#include "beginning.h"

#include <cmath>

#include "slot_view.h"

namespace podweir {

uint8_t KnownBeginning(const flow_slot& slot) {
  uint8_t known = 0;
  for (const flow_half& half : slot.half)
    known = static_cast<uint8_t>(known << 4 | (ReadOnce(half.known) & (KNOWN_SYN | KNOWN_DATA)));
  return known;
}

void AddBeginning(const flow_slot& slot, const flow_details& details, const DrainTime& time, DrainResult& result) {
  BeginningRows& rows = result.beginnings;
  auto at_ms = [&](uint64_t event_ns) { return event_ns ? time.WallMs(event_ns) : NAN; };
  rows.row.push_back(static_cast<uint32_t>(result.flows.size()));
  rows.syn_at_ms.push_back(at_ms(ReadOnce(details.identity.syn_ns)));
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    uint8_t known = ReadOnce(slot.half[direction].known);
    BeginningRows::Side& side = rows.side[direction];
    side.has_sequence.push_back(known & KNOWN_SYN ? 1 : 0);
    side.sequence.push_back(known & KNOWN_SYN ? ReadOnce(details.tcp[direction].initial_sequence) : 0);
    side.first_data_at_ms.push_back(at_ms(known & KNOWN_DATA ? ReadOnce(details.first_data_ns[direction]) : 0));
  }
}

}  // namespace podweir
