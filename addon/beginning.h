// How a TCP connection began: what both ends of it see alike, whatever is between them.
#ifndef PODWEIR_BEGINNING_H
#define PODWEIR_BEGINNING_H

#include <cstdint>

#include "drain_rows.h"
#include "drain_time.h"
#include "flow.h"

namespace podweir {

// Bits of what the details have of it; never one less of a connection than before.
uint8_t KnownBeginning(const flow_slot& slot);

// Goes with the row of flows that comes next.
void AddBeginning(const flow_slot& slot, const flow_details& details, const DrainTime& time, DrainResult& result);

}  // namespace podweir

#endif
