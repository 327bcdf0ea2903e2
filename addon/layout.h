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
// A union has no unique representation for the compiler: the rest of the line is what is left to check.
static_assert(offsetof(flow_half, state) == sizeof(flow_key4) && offsetof(flow_half, packets) == sizeof(flow_key4) + 8);
static_assert(offsetof(flow_half, awaited_since_ns) + 8 == sizeof(flow_half) && sizeof(flow_half) == kCacheLine);
static_assert(sizeof(flow_slot) == 2 * kCacheLine);
static_assert(std::has_unique_object_representations_v<flow_tcp>);
static_assert(std::has_unique_object_representations_v<flow_identity> && sizeof(flow_identity) == kCacheLine);
static_assert(std::has_unique_object_representations_v<flow_details> && sizeof(flow_details) == 5 * kCacheLine);
static_assert(std::has_unique_object_representations_v<slot_use> && sizeof(slot_use) == 16);
static_assert(std::has_unique_object_representations_v<class_totals> && sizeof(class_totals) == 256);
static_assert(std::has_unique_object_representations_v<interface_totals> && sizeof(interface_totals) == 256);
static_assert(std::has_unique_object_representations_v<cpu_scratch>);

}  // namespace podweir

#endif
