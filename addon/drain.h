// Takes what the kernel counted since last time, and retires flows that are idle or whose interface is gone.
#ifndef PODWEIR_DRAIN_H
#define PODWEIR_DRAIN_H

#include <cstdint>
#include <vector>

#include "probe.h"
#include "retired_keys.h"

namespace podweir {

struct FlowRows {
  std::vector<uint32_t> slot, generation, opened;
  std::vector<double> packets[DIRECTIONS], bytes[DIRECTIONS];
  std::vector<uint8_t> ended;

  void Reserve(size_t rows);
};

struct StartedRows {
  std::vector<uint32_t> slot, generation;
  std::vector<uint8_t> local_address, remote_address;  // 16 bytes a row
  std::vector<uint8_t> family, protocol, flags, opener, confidence;
  std::vector<uint16_t> local_port, remote_port, interface_slot;  // ports in host order
  std::vector<double> start_ms;
};

struct DirectionRows {
  std::vector<double> skbs, skb_bytes, seen_packets, seen_bytes, other_packets, other_bytes;
  std::vector<double> overflow_packets, overflow_bytes, filtered_packets, filtered_bytes;
  std::vector<double> device_packets, overseen_skbs, unobserved_skbs;
};

struct InterfaceRows {
  std::vector<uint16_t> interface_slot;
  std::vector<uint8_t> ended, device_present;
  DirectionRows direction[DIRECTIONS];
};

struct DrainResult {
  uint32_t sequence = 0;
  double read_at_ms = 0;
  FlowRows flows;
  StartedRows started;
  InterfaceRows interfaces;
  uint32_t live_flows = 0;
  cpu_scratch faults{};
};

// Opener evidence as lib/capture/flow-batch.ts names it.
enum Confidence : uint8_t { kFirstPacket = 0, kHandshake = 1, kResumed = 2 };

class Drain {
 public:
  Drain(Probe& probe, int64_t idle_ms);

  DrainResult Run();

 private:
  struct Seen {
    uint64_t packets[DIRECTIONS] = {};
    uint64_t bytes[DIRECTIONS] = {};
    uint64_t opened = 0;
    int64_t changed_ms = 0;   // monotonic
    uint32_t generation = 0;  // the slot's: only we change it, and the scan reads no line for it
    bool known = false;
  };

  void ReadSlot(uint32_t slot, bool ended, DrainResult& result);
  void AddStarted(uint32_t slot, DrainResult& result);
  void Retire(DrainResult& result);
  void FreeSlot(uint32_t slot);
  std::vector<uint32_t> UnhookEnding(Netlink* netlink);
  void ReadInterfaces(Netlink* netlink, const std::vector<uint32_t>& ending, DrainResult& result);

  Probe& probe_;
  const int64_t idle_ms_;
  std::vector<Seen> seen_;
  std::vector<uint32_t> leaving_;  // chosen or already marked, not yet freed
  RetiredKeys retired_;
  uint32_t sequence_ = 0;
  size_t last_rows_ = 0;  // of flows: the next drain has about as many
  int64_t now_ms_ = 0;    // monotonic, of this drain
  double wall_minus_mono_ms_ = 0;
};

}  // namespace podweir

#endif
