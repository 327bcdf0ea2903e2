// Takes off a machine what agents that are gone have left on it.
#ifndef PODWEIR_DETACH_ALL_H
#define PODWEIR_DETACH_ALL_H

#include <cstdint>
#include <string>
#include <vector>

#include "status.h"
#include "sweep.h"

namespace podweir {

struct Detached {
  uint32_t links = 0;  // tcx, one for each direction of an interface
  uint32_t maps = 0;
  Swept swept;
};

// `pins`: the directory, empty: none. EBUSY: a process has it. `purge`: see SweepFilters.
Result<Detached> DetachAll(const std::string& pins, bool purge);

}  // namespace podweir

#endif
