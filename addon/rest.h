// Which interfaces stand still, so that a drain can pass them over: reading a device is most of what an idle agent
// does.
#ifndef PODWEIR_REST_H
#define PODWEIR_REST_H

#include <unordered_map>

#include "interfaces.h"
#include "probe.h"

namespace podweir {

// Behind Probe::CheckHooks: its rows have said all that there is.
bool HasRested(const Interface& interface);

class Rest {
 public:
  explicit Rest(Probe& probe) : probe_(probe) {}

  // At the beginning of a drain's look at the interfaces. The registry is locked from here on.
  void Begin(Netlink& netlink);
  // Neither we nor the pair's other end have counted anything since the device was read last, nor did anything move in
  // several readings before. Where the other end is out of sight the device is read in each fifth drain.
  bool Has(Interface& interface, Netlink& netlink);

 private:
  enum class Sight { kNone, kSame, kMoved };

  Sight LookAtOtherEnd(Interface& interface, Netlink& netlink);

  Probe& probe_;
  Skbs skbs_;
  std::unordered_map<int, DeviceCounters> counters_;
};

}  // namespace podweir

#endif
