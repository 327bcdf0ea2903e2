// Where connection tracking sends flows of the table: only what is surely the flow's own.
#ifndef PODWEIR_TRANSLATIONS_H
#define PODWEIR_TRANSLATIONS_H

#include <cstdint>
#include <vector>

#include "conntrack.h"
#include "probe.h"

namespace podweir {

// Row i is the flow that was asked for i-th.
struct TranslationRows {
  std::vector<uint8_t> tracked;          // enum Tracked
  std::vector<uint8_t> backend_address;  // 16 bytes a row
  std::vector<uint16_t> backend_port;
};

struct FlowName {
  uint32_t slot, generation;
};

// On the thread that drains: nobody else retires flows.
Result<TranslationRows> LookUpFlows(const Probe& probe, Result<Conntrack>& conntrack,
                                    const std::vector<FlowName>& flows);

}  // namespace podweir

#endif
