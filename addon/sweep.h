// Filters of ours on any device of any namespace, whoever left them there.
#ifndef PODWEIR_SWEEP_H
#define PODWEIR_SWEEP_H

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "namespace.h"

namespace podweir {

struct Swept {
  uint32_t filters = 0;
  uint32_t qdiscs = 0;  // a clsact that we had made, with nobody else's filter
  // `namespace device`: without any filter on a host's device. Nobody knows whose it is.
  std::vector<std::string> empty_clsacts;
};

// Removes all but those whose programs are in `kept`. `purge`: the empty clsacts of the agent's own namespace as well.
Swept SweepFilters(NamespaceThread& namespaces, const std::set<uint32_t>& kept, bool purge = false);

}  // namespace podweir

#endif
