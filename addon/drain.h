// Takes what the kernel counted since last time, and retires flows that are over, idle or whose interface is gone.
#ifndef PODWEIR_DRAIN_H
#define PODWEIR_DRAIN_H

#include <cstdint>
#include <vector>

#include "drain_rows.h"
#include "flow_reader.h"
#include "occupied_slots.h"
#include "probe.h"
#include "rest.h"
#include "retire.h"
#include "self_audit.h"

namespace podweir {

struct DrainOptions {
  RetireTimes retire;
  uint32_t audit_every = 0;
};

class Drain {
 public:
  Drain(Probe& probe, const DrainOptions& options);

  // `mark` is not 0: what is told with this drain is written down under that name, for Journal::Commit.
  DrainResult Run(uint32_t mark = 0);

 private:
  void Adopt();
  void GiveBackOver();
  void GiveBack(const std::vector<uint32_t>& over);
  void End(Interface& interface, uint32_t sequence);
  void Scan(const std::vector<uint32_t>& ending, DrainResult& result);
  std::vector<uint32_t> UnhookEnding(Netlink* netlink);
  void ReadInterfaces(Netlink* netlink, const std::vector<uint32_t>& ending, DrainResult& result);

  Probe& probe_;
  const RetireTimes times_;
  FlowReader reader_;
  SelfAudit audit_;
  Retirement retirement_;
  OccupiedSlots occupied_;
  Rest rest_;
  std::vector<bool> silent_;  // by interface slot: not claimed yet, or held
  uint32_t sequence_ = 0;
  size_t last_rows_ = 0;  // of flows: the next drain has about as many
};

}  // namespace podweir

#endif
