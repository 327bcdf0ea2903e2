// What flow.h promises of its structs: no hidden padding, and the cache lines that the counting relies on.
#ifndef PODWEIR_LAYOUT_H
#define PODWEIR_LAYOUT_H

#include <type_traits>

#include "flow.h"

namespace podweir {

constexpr unsigned kCacheLine = 64;

static_assert(std::has_unique_object_representations_v<flow_key4> && sizeof(flow_key4) == 16);
static_assert(std::has_unique_object_representations_v<flow_key6> && sizeof(flow_key6) == 40);
static_assert(std::has_unique_object_representations_v<flow_tcp> && sizeof(flow_tcp) == kCacheLine);
static_assert(std::has_unique_object_representations_v<flow_counters> && sizeof(flow_counters) == kCacheLine);
static_assert(sizeof(flow_identity) == kCacheLine);
static_assert(sizeof(flow_slot) == 6 * kCacheLine);
static_assert(std::has_unique_object_representations_v<interface_totals> && sizeof(interface_totals) == 256);
static_assert(std::has_unique_object_representations_v<cpu_scratch>);

}  // namespace podweir

#endif
