// What flow.h promises of its structs: no hidden padding, and the cache lines that the counting relies on.
#ifndef PODWEIR_LAYOUT_H
#define PODWEIR_LAYOUT_H

#include <cstddef>
#include <type_traits>

#include "flow.h"

namespace podweir {

constexpr unsigned kCacheLine = 64;

static_assert(std::has_unique_object_representations_v<flow_key4> && sizeof(flow_key4) == 16);
static_assert(std::has_unique_object_representations_v<flow_key6> && sizeof(flow_key6) == 40);
static_assert(std::has_unique_object_representations_v<flow_tcp> && sizeof(flow_tcp) == kCacheLine);
// A union of two sizes has no unique representation: the rest of the line is what is left to check.
static_assert(offsetof(flow_counters, state) == sizeof(flow_key6) && sizeof(flow_counters) == kCacheLine);
static_assert(offsetof(flow_counters, packets) == sizeof(flow_key6) + 8);
static_assert(offsetof(flow_half, tcp) == kCacheLine && sizeof(flow_half) == 2 * kCacheLine);
static_assert(sizeof(flow_slot) == 4 * kCacheLine);
static_assert(std::has_unique_object_representations_v<flow_identity> && sizeof(flow_identity) == kCacheLine);
static_assert(std::has_unique_object_representations_v<flow_details> && sizeof(flow_details) == 3 * kCacheLine);
static_assert(std::has_unique_object_representations_v<slot_use> && sizeof(slot_use) == 16);
static_assert(std::has_unique_object_representations_v<class_totals> && sizeof(class_totals) == 256);
static_assert(std::has_unique_object_representations_v<interface_totals> && sizeof(interface_totals) == 256);
static_assert(std::has_unique_object_representations_v<cpu_scratch>);

}  // namespace podweir

#endif
