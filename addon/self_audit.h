// Compares what is in flows with the kernel's totals while packets go on, interface by interface: T1 <= F <= T2.
#ifndef PODWEIR_SELF_AUDIT_H
#define PODWEIR_SELF_AUDIT_H

#include <cstdint>
#include <vector>

#include "drain_rows.h"
#include "flow.h"
#include "journal_layout.h"

namespace podweir {

class Probe;

class SelfAudit {
 public:
  // `every`: drains between two audits, 0: none.
  SelfAudit(Probe& probe, uint32_t every);

  // The last counts of a slot that is about to be zeroed.
  void AddRetired(const flow_slot& slot);
  // The interface slot was given back: its next interface starts at 0.
  void Forget(uint32_t interface_slot) { retired_[interface_slot] = {}; }
  // What earlier agents have retired of it.
  void Adopt(uint32_t interface_slot, const Retired& retired);
  void RunIfDue();

  const AuditResult& result() const { return result_; }

 private:
  struct Measure {
    const char* unit;
    uint64_t (Amounts::*amounts)[DIRECTIONS];
  };
  using CountsOfInterfaces = std::vector<Amounts>;

  CountsOfInterfaces Read(bool seen) const;
  CountsOfInterfaces InFlows() const;
  bool Fits(uint32_t interface_slot, flow_direction direction, const char* unit, uint64_t flows, uint64_t least,
            uint64_t most);

  Probe& probe_;
  const uint32_t every_;
  uint32_t drains_ = 0;
  CountsOfInterfaces retired_;
  std::vector<uint32_t> interfaces_;  // of this audit
  AuditResult result_;
};

}  // namespace podweir

#endif
