// How others drain: a hash of flows emptied through the system calls made for it, for comparison in bench/drain.ts.
#ifndef PODWEIR_HASH_DRAIN_H
#define PODWEIR_HASH_DRAIN_H

#include <cstdint>

#include "status.h"

namespace podweir {

enum class DrainMethod { kBatch, kNextKey };

// Fills a hash (key of 16 bytes, value of 104) with `count` flows and returns the milliseconds that emptying it took.
Result<double> DrainHash(uint32_t count, DrainMethod method);

}  // namespace podweir

#endif
