// Takes batches as lib/ does, and adds up what they say: nothing may be missing from it, and nothing in it twice.
#ifndef PODWEIR_FUZZ_RECEIVER_H
#define PODWEIR_FUZZ_RECEIVER_H

#include <cstdint>
#include <map>
#include <utility>

#include "drain_rows.h"
#include "table.h"

namespace podweir {

class Receiver {
 public:
  // The columns fit each other, whatever is in them.
  static void CheckColumns(const DrainResult& batch);

  // `quiet`: no packet was under way.
  void Take(const DrainResult& batch, bool quiet);

 private:
  struct Flow {
    uint16_t interface_slot = 0;
    bool opened = false, failed = false, closed = false;
  };
  using Name = std::pair<uint32_t, uint32_t>;  // slot and generation

  void TakeStarted(const StartedRows& rows);
  void TakeFlows(const FlowRows& rows);
  void TakeInterface(const InterfaceRows& rows, size_t row, bool quiet);

  std::map<Name, Flow> flows_;
  Count drained_[INTERFACE_SLOTS][DIRECTIONS];
};

}  // namespace podweir

#endif
