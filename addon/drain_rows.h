// What one drain found, column by column, as lib/capture/flow-batch.ts names it.
#ifndef PODWEIR_DRAIN_ROWS_H
#define PODWEIR_DRAIN_ROWS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "column.h"
#include "flow.h"

namespace podweir {

// Most flows have none of what these two say: a scan notes those that have.
struct TimesRow {
  uint32_t row;
  double handshake_seconds, accepted_seconds, ended_at_ms;  // NaN: not known
};

struct TcpRow {
  uint32_t row;
  uint32_t retransmits, out_of_order, duplicate_acks, zero_windows, resets;
  double rtt_sum_seconds;
};

// Columns of what was noted: as long as the table, or empty when no row has anything there.
struct TimesColumns {
  Column<double> handshake_seconds, accepted_seconds, ended_at_ms;
};

struct TcpColumns {
  Column<uint32_t> retransmits, out_of_order, duplicate_acks, zero_windows, resets;
  Column<double> rtt_sum_seconds;
};

struct FlowRow {
  uint32_t slot, generation;
  double packets[DIRECTIONS], bytes[DIRECTIONS];
  uint8_t opened, failed, closed, state, ended;
};

class FlowRows {
 public:
  size_t size() const { return size_; }
  // Room for so many, or at least as many as there are.
  void Reserve(size_t rows);
  void Add(const FlowRow& row) {
    if (size_ == slot.size()) Reserve(2 * size_ + kFewestRows);
    const size_t i = size_++;
    slot[i] = row.slot;
    generation[i] = row.generation;
    for (int direction = 0; direction < DIRECTIONS; direction++) {
      packets[direction][i] = row.packets[direction];
      bytes[direction][i] = row.bytes[direction];
    }
    opened[i] = row.opened;
    failed[i] = row.failed;
    closed[i] = row.closed;
    state[i] = row.state;
    ended[i] = row.ended;
  }
  // Once all rows are there: columns of their length, those of what was noted too.
  void Finish();

  Column<uint32_t> slot, generation;
  Column<double> packets[DIRECTIONS], bytes[DIRECTIONS];
  Column<uint8_t> opened, failed, closed, state, ended;
  std::vector<TimesRow> noted_times;
  std::vector<TcpRow> noted_tcp[DIRECTIONS];
  TimesColumns times;
  TcpColumns tcp[DIRECTIONS];

 private:
  static constexpr size_t kFewestRows = 64;

  void Resize(size_t rows);
  void SpreadNotes();

  size_t size_ = 0;
};

struct RttRows {
  std::vector<uint32_t> row, count;
  std::vector<uint8_t> direction, bucket;
};

// How a TCP connection began: a row when more of it is known than the last one said.
struct BeginningRows {
  std::vector<uint32_t> row;
  std::vector<double> syn_at_ms;
  struct Side {
    std::vector<uint8_t> has_sequence;
    std::vector<uint32_t> sequence;
    std::vector<double> first_data_at_ms;
  } side[DIRECTIONS];
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
  std::vector<uint8_t> ended, device_present, condition;
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
  BeginningRows beginnings;
  StartedRows started;
  InterfaceRows interfaces;
  uint32_t live_flows = 0, collapsed_flows = 0;
  cpu_scratch faults{};
  AuditResult audit;
};

}  // namespace podweir

#endif
