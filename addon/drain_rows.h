// What one drain found, column by column, as lib/capture/flow-batch.ts names it.
#ifndef PODWEIR_DRAIN_ROWS_H
#define PODWEIR_DRAIN_ROWS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "flow.h"

namespace podweir {

// Most rows have none of what follows them here: those that do name their row.
struct TimesRow {
  uint32_t row;
  double handshake_seconds, accepted_seconds, ended_at_ms;  // NaN: not known
};

struct TcpRow {
  uint32_t row;
  uint32_t retransmits, out_of_order, duplicate_acks, zero_windows, resets;
  double rtt_sum_seconds;
};

struct FlowRows {
  std::vector<uint32_t> slot, generation;
  std::vector<double> packets[DIRECTIONS], bytes[DIRECTIONS];
  std::vector<uint8_t> opened, failed, closed, state, ended;
  std::vector<TimesRow> times;
  std::vector<TcpRow> tcp[DIRECTIONS];

  size_t size() const { return slot.size(); }
  void Reserve(size_t rows);
};

struct RttRows {
  std::vector<uint32_t> row, count;
  std::vector<uint8_t> direction, bucket;
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
  std::vector<double> class_packets, class_bytes;  // PACKET_CLASSES a row
  std::vector<double> device_packets, overseen_skbs, unobserved_skbs;
};

struct InterfaceRows {
  std::vector<uint16_t> interface_slot;
  std::vector<uint8_t> ended, device_present;
  DirectionRows direction[DIRECTIONS];
};

struct AuditResult {
  uint32_t audits = 0;
  uint32_t violations = 0;
  std::string newest;
};

struct DrainResult {
  uint32_t sequence = 0;
  double read_at_ms = 0;
  FlowRows flows;
  RttRows rtt;
  StartedRows started;
  InterfaceRows interfaces;
  uint32_t live_flows = 0, collapsed_flows = 0;
  cpu_scratch faults{};
  AuditResult audit;
};

}  // namespace podweir

#endif
