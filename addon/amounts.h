// Arithmetic on what flows held.
#ifndef PODWEIR_AMOUNTS_H
#define PODWEIR_AMOUNTS_H

#include "journal_layout.h"
#include "slot_view.h"

namespace podweir {

inline void Add(Amounts& to, const Amounts& more) {
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    to.packets[direction] += more.packets[direction];
    to.bytes[direction] += more.bytes[direction];
  }
}

inline Amounts CountsOf(const flow_slot& slot) {
  Amounts counts{};
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    counts.packets[direction] = ReadOnce(slot.half[direction].packets);
    counts.bytes[direction] = ReadOnce(slot.half[direction].bytes);
  }
  return counts;
}

inline Amounts CountsOf(const Retired& retired) {
  Amounts counts = retired.flows;
  Add(counts, retired.collapsed);
  return counts;
}

// nullptr: nothing was delivered.
inline Amounts CountsOf(const Watermark* watermark) {
  Amounts counts{};
  for (int direction = 0; watermark && direction < DIRECTIONS; direction++) {
    counts.packets[direction] = watermark->packets[direction];
    counts.bytes[direction] = watermark->bytes[direction];
  }
  return counts;
}

inline Amounts Less(Amounts from, const Amounts& less) {
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    from.packets[direction] -= less.packets[direction];
    from.bytes[direction] -= less.bytes[direction];
  }
  return from;
}

}  // namespace podweir

#endif
