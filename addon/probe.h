// The kernel side as one object: programs and maps loaded, interfaces attached, their slots given and taken back.
#ifndef PODWEIR_PROBE_H
#define PODWEIR_PROBE_H

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "attach.h"
#include "flow.h"
#include "handle.h"
#include "layout.h"
#include "namespace.h"
#include "status.h"
#include "survey.h"

struct flow_bpf;

namespace podweir {

struct ProbeOptions {
  uint32_t flow_limit = 32768;
};

// A counter's value at attaching: what differs from it later happened under our eyes.
struct Baseline {
  DeviceCounters pod;   // the pod's end
  DeviceCounters host;  // the host's end, when that is where we are
  uint64_t unobserved[DIRECTIONS] = {};
  bool exact = false;
  bool taken = false;
};

enum class InterfaceState { kAttached, kEnding };

struct Interface {
  uint32_t slot = 0;
  std::unique_ptr<Attachment> attachment;
  InterfaceState state = InterfaceState::kAttached;
  int64_t attached_at_ms = 0;
  int pod_namespace_id = -1;  // -1: the pod's end is in our own namespace
  int pod_index = 0;
  std::string pod_address;
  CounterKind kind[DIRECTIONS] = {};
  Baseline baseline;
  DeviceCounters last;                 // the pod's end, last reading
  uint64_t bypassed[DIRECTIONS] = {};  // proven, only ever grows
  uint64_t overseen[DIRECTIONS] = {};  // likewise
  bool present = true;
};

struct AttachmentInfo {
  uint32_t slot;
  std::string device;
  Place place;
  Hook hook;
  int64_t attached_at_ms;
  CounterKind transmit, receive;
  bool baseline_exact, replaced_stale;
};

struct ProgramInfo {
  std::string name, tag;
  uint32_t id;
  uint64_t run_time_ns, runs;
  uint32_t instructions;
};

struct ProgramTime {
  uint64_t nanoseconds = 0, runs = 0;
};

struct MapInfo {
  std::string name;
  uint32_t id;
  uint64_t memory_bytes;  // fdinfo's memlock
};

struct Inspection {
  std::vector<ProgramInfo> programs;
  std::vector<MapInfo> maps;
};

class Probe {
 public:
  static Result<std::unique_ptr<Probe>> Load(const ProbeOptions& options);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  Result<AttachmentInfo> Attach(const AttachRequest& request);
  Status Detach(uint32_t interface_slot);
  Result<std::vector<Link>> Links(const std::string& netns);
  Result<Survey> TakeSurvey() { return podweir::TakeSurvey(namespaces_); }
  Inspection Inspect();
  // Kernel run-time statistics for all programs of this machine, on as long as the probe holds them.
  Status EnableStatistics();
  void DisableStatistics() { statistics_.Close(); }
  // Of all dispatchers since loading, those of interfaces that are gone too, and only while statistics were on.
  ProgramTime TimeInPrograms();
  // What TCP segments tell beyond the connection's state: round trips, retransmissions and the like.
  void SetTcpDetail(bool on);

  uint32_t flow_limit() const { return options_.flow_limit; }
  // One a flow, and an eighth more for collapsed flows: those come behind.
  uint32_t slot_count() const { return slot_count_; }
  flow_slot* slots() const { return static_cast<flow_slot*>(slots_.get()); }
  flow_details* details() const { return static_cast<flow_details*>(details_.get()); }
  // By interface slot, 0: of all.
  slot_use* use() const { return static_cast<slot_use*>(use_.get()); }
  uint32_t SlotsInUse() const;
  const flow_bpf* skeleton() const { return skeleton_; }
  interface_totals Totals(uint32_t interface_slot) const;
  class_totals Classes(uint32_t interface_slot) const;
  cpu_scratch Faults() const;
  // Returns when every program that runs now has ended.
  Status WaitForPrograms() const;

  // The registry of interfaces: attaching and draining are on different threads.
  std::mutex& mutex() { return mutex_; }
  std::map<uint32_t, Interface>& interfaces() { return interfaces_; }
  void ReadDevice(Interface& interface, Netlink& netlink);
  std::vector<uint32_t> AttachedSlots();
  // No flow of the interface is in the table any more.
  void GiveBack(uint32_t interface_slot);

 private:
  explicit Probe(const ProbeOptions& options);

  static void AddTime(const Interface& interface, ProgramTime& time);
  Status Open();
  Status MapMemory();
  Status FillFreeSlots();
  uint32_t TakeInterfaceSlot();
  Status FindPodEnd(Interface& interface, Netlink& netlink);
  Offloads HostOffloads(const Link& pod_end, const std::string& pod_netns);
  void ReadCounterKinds(Interface& interface, const Offloads& host);
  void TakeBaseline(Interface& interface, Netlink& netlink);

  ProbeOptions options_;
  const uint32_t slot_count_;
  flow_bpf* skeleton_ = nullptr;
  Mapping slots_;
  Mapping details_;
  Mapping use_;
  Mapping classes_;
  Fd statistics_;
  NamespaceThread namespaces_;
  std::mutex mutex_;
  std::map<uint32_t, Interface> interfaces_;
  uint32_t last_interface_slot_ = 0;
  int possible_cpus_ = 1;
  uint32_t tcp_epoch_ = 0;
  ProgramTime past_time_;  // of dispatchers that are gone
};

}  // namespace podweir

#endif
