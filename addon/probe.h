// The kernel side as one object: programs and maps loaded, interfaces attached, their slots given and taken back.
#ifndef PODWEIR_PROBE_H
#define PODWEIR_PROBE_H

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "attach.h"
#include "flow.h"
#include "handle.h"
#include "journal.h"
#include "layout.h"
#include "namespace.h"
#include "pins.h"
#include "scope_rules.h"
#include "status.h"
#include "survey.h"
#include "tap.h"

struct flow_bpf;

namespace podweir {

struct ProbeOptions {
  uint32_t flow_limit = 32768;
  std::string pins = {};  // directory in a BPF file system, empty: nothing outlives the process
  ScopeOptions scope = {};
  // Asked for before the first interface is attached, with the thread to load on; absent, or nullptr: dispatchers go to
  // the counting programs.
  std::function<std::unique_ptr<Tap>(const DispatcherMaps&, NamespaceThread&)> open_tap = {};
};

// A counter's value at attaching: what differs from it later happened under our eyes.
struct Baseline {
  DeviceCounters pod;   // the pod's end
  DeviceCounters host;  // the host's end, when that is where we are
  uint64_t unobserved[DIRECTIONS] = {};
  bool exact = false;
  bool taken = false;

  static constexpr int kTries = 50;  // to find a moment in which the device stands still
};

// kUnclaimed: adopted, and not yet asked for: it counts, and nothing of it is told. kOver: its last row was told, and
// is not yet written down by who got it.
enum class InterfaceState { kAttached, kEnding, kUnclaimed, kOver };

struct Interface {
  uint32_t slot = 0;
  std::unique_ptr<Attachment> attachment;
  InterfaceState state = InterfaceState::kAttached;
  bool held = false;  // while it is attached: nothing of its flows is told
  int64_t attached_at_ms = 0;
  int pod_namespace_id = -1;  // -1: the pod's end is in our own namespace
  int pod_index = 0;
  std::string pod_address;
  CounterKind kind[DIRECTIONS] = {};
  Baseline baseline;
  DeviceCounters last;                 // the pod's end, last reading
  uint64_t bypassed[DIRECTIONS] = {};  // proven, only ever grows
  uint64_t overseen[DIRECTIONS] = {};  // likewise
  uint64_t missed[DIRECTIONS] = {};    // while our programs were off it; likewise
  // Drains one after the other in which a connection acknowledged what we did not see, at the host's end.
  uint32_t unseen_drains = 0;
  bool passed_by = false;  // of that more than a packet on its way can explain
  Attachment::Places hooked = {true, true};
  DeviceCounters looked_at;  // the pod's end and our own counts when the hooks were last looked at
  uint64_t looked_at_skbs[DIRECTIONS] = {};
  int64_t looked_at_ms = 0;
  uint32_t still_readings = 0;  // in which neither its device nor we counted anything
  uint32_t rested_drains = 0;
  int other_end = -1;  // of the pair, index in our own namespace; 0: it is not there, -1: not looked for yet
  std::optional<DeviceCounters> other_end_counted;  // by the drain before
  bool present = true;
};

// Where an interface of an earlier agent stands.
struct Continued {
  uint32_t slot = 0;
  Retired drained{};  // told by earlier agents, or lost with them
  DeviceReading reading{};
  uint64_t unobserved[DIRECTIONS] = {};
  CounterKind kind[DIRECTIONS] = {};
};

struct AttachmentInfo {
  uint32_t slot;
  std::string device;
  Place place;
  Hook hook;
  int64_t attached_at_ms;
  CounterKind transmit, receive;
  bool baseline_exact, replaced_stale;
  uint64_t counted_before[DIRECTIONS];  // by the device, on its scale
  bool adopted = false;
};

// What an agent finds of the one before it.
struct Adoption {
  bool pinned = false, adopted = false;
  int64_t started_at_ms = 0;
  Amounts drained{};  // of all interfaces, also those that were over before
  Amounts restart{};  // of these, what no acknowledged export contains and no slot has any more
  std::string delivery, ledger;
  std::vector<Continued> interfaces;
};

// By interface slot and direction.
using Skbs = std::vector<std::array<uint64_t, DIRECTIONS>>;

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

  // An interface that an earlier agent observed goes on where it was.
  Result<AttachmentInfo> Attach(const AttachRequest& request);
  // Hooks our programs to the interface again where they are missing; its counts go on. false: they are all there.
  Result<bool> Reattach(uint32_t interface_slot);
  Status Detach(uint32_t interface_slot);
  // From the next drain on its flows are told, with all that they have counted.
  Status Release(uint32_t interface_slot);
  // Ends what was adopted and nobody has asked for.
  void DetachUnclaimed();
  const Adoption& adoption() const { return adoption_; }
  // nullptr: nothing outlives the process.
  Journal* journal() const { return journal_.get(); }
  // The next agent takes over: all goes on counting when this object is gone.
  void Keep() { keeps_ = true; }
  // Out of scope: none of its flows that start from now on is in the table, and their packets are `filtered`.
  Status SetOutOfScope(uint32_t interface_slot, bool out);
  Result<std::vector<Link>> Links(const std::string& netns);
  // The same of many, in one go.
  std::vector<Result<std::vector<Link>>> LinksOf(const std::vector<std::string>& netns);
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
  // Differs whenever a flow has started since.
  uint64_t FlowsStarted() const;
  const flow_bpf* skeleton() const { return skeleton_; }
  // nullptr: there is none.
  Tap* tap() const { return tap_.get(); }
  interface_totals Totals(uint32_t interface_slot) const;
  // The same for all interfaces, of skbs alone.
  Skbs CountedSkbs() const;
  class_totals Classes(uint32_t interface_slot) const;
  cpu_scratch Faults() const;
  // Returns when every program that runs now has ended.
  Status WaitForPrograms() const;

  // The registry of interfaces: attaching and draining are on different threads.
  std::mutex& mutex() { return mutex_; }
  std::map<uint32_t, Interface>& interfaces() { return interfaces_; }
  void ReadDevice(Interface& interface, Netlink& netlink);
  // Behind ReadDevice: are our programs where we hooked them? `totals` were read before the device.
  void CheckHooks(Interface& interface, const interface_totals& totals);
  // Our programs are where we hooked them, as far as a look costs next to nothing: at a filter it does not.
  static bool IsHooked(Interface& interface);
  // Where no counter shows that packets reach the pod past the host's end, its connections do.
  static void CheckBypass(Interface& interface, bool acknowledged_unseen);
  std::vector<uint32_t> AttachedSlots();
  // No flow of the interface is in the table any more.
  void GiveBack(uint32_t interface_slot);
  // The journal is to know what was read of it.
  void Record(const Interface& interface, const interface_totals& totals);
  // Adopted, and nothing of it is to be told yet.
  bool IsUnclaimed(uint32_t interface_slot) const;
  // Nothing is left of the slot's flow.
  void Zero(uint32_t slot, uint32_t next_generation);
  // Gives the slot to the next flow. False: it is lost.
  bool Recycle(uint32_t slot, uint32_t interface_slot);

 private:
  explicit Probe(const ProbeOptions& options);

  static void AddTime(const Interface& interface, ProgramTime& time);
  Status Open();
  Status MapMemory();
  Status FillFreeSlots();
  Status OpenPins();
  Status DiscardPins(Journal* found);
  bool ReuseMaps();
  Status PinMaps();
  void EndReturn();
  void AdoptInterfaces();
  void AdoptInterface(uint32_t slot, const std::map<unsigned long, std::string>& namespaces);
  Continued ContinuedFrom(uint32_t slot);
  Interface RestoreInterface(uint32_t slot);
  void SumUp();
  DispatcherMaps MapsOfDispatchers() const;
  void CountRecycled(bool collapsed, uint32_t interface_slot);
  AttachmentInfo InfoOf(const Interface& interface) const;
  Interface* FindUnclaimed(const AttachRequest& request);
  void RecordAttached(const Interface& interface);
  uint32_t TakeInterfaceSlot();
  Status FindPodEnd(Interface& interface, Netlink& netlink);
  Offloads HostOffloads(const Link& pod_end, const std::string& pod_netns);
  void ReadCounterKinds(Interface& interface, const Offloads& host);
  static bool LostDevice(Interface& interface);
  void TakeBaseline(Interface& interface, Netlink& netlink);
  void CountMissed(Interface& interface, const interface_totals& totals, const Attachment::Places& hooked);

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
  std::unique_ptr<Tap> tap_;
  std::map<uint32_t, Interface> interfaces_;
  std::unique_ptr<Pins> pins_;
  std::unique_ptr<Journal> journal_;
  Adoption adoption_;
  bool keeps_ = false;
  uint32_t last_interface_slot_ = 0;
  int possible_cpus_ = 1;
  uint32_t tcp_epoch_ = 0;
  ProgramTime past_time_;  // of dispatchers that are gone
};

}  // namespace podweir

#endif
