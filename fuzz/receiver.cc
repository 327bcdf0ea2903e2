#include "receiver.h"

#include <cmath>

#include "demand.h"

namespace podweir {
namespace {

constexpr size_t kAddressBytes = 16;
constexpr double kMostExact = 9007199254740992.0;  // 2^53

template <typename... Columns>
void DemandRows(size_t rows, const Columns&... columns) {
  demand(((columns.size() == rows) && ...), "the columns of a table have the same rows");
}

template <typename... Columns>
void DemandRowsOrNone(size_t rows, const Columns&... columns) {
  demand(((columns.empty() || columns.size() == rows) && ...), "a column has all rows or none");
}

uint64_t Whole(double value) {
  demand(value >= 0 && value < kMostExact && value == std::floor(value), "an amount is a whole number");
  return static_cast<uint64_t>(value);
}

// What may be told of a flow once.
void Tell(bool& told, uint8_t news) {
  demand(!news || !told, "that a flow opened, failed or closed is told once");
  told |= news != 0;
}

void CheckDirection(const DirectionRows& rows, size_t interfaces) {
  DemandRows(interfaces, rows.skbs, rows.skb_bytes, rows.seen_packets, rows.seen_bytes, rows.other_packets,
             rows.other_bytes, rows.overflow_packets, rows.overflow_bytes, rows.filtered_packets, rows.filtered_bytes,
             rows.device_packets, rows.overseen_skbs, rows.unobserved_skbs);
  DemandRows(interfaces * PACKET_CLASSES, rows.class_packets, rows.class_bytes);
}

}  // namespace

void Receiver::CheckColumns(const DrainResult& batch) {
  const FlowRows& flows = batch.flows;
  const StartedRows& started = batch.started;
  const RttRows& rtt = batch.rtt;
  DemandRows(flows.size(), flows.slot, flows.generation, flows.opened, flows.failed, flows.closed, flows.state,
             flows.ended, flows.packets[FROM_POD], flows.packets[TO_POD], flows.bytes[FROM_POD], flows.bytes[TO_POD]);
  DemandRows(started.slot.size(), started.generation, started.family, started.protocol, started.flags, started.opener,
             started.confidence, started.local_port, started.remote_port, started.interface_slot, started.start_ms);
  DemandRows(started.slot.size() * kAddressBytes, started.local_address, started.remote_address);
  DemandRows(rtt.row.size(), rtt.count, rtt.direction, rtt.bucket);
  for (uint32_t row : rtt.row) demand(row < flows.size(), "round trips are of a row");
  for (uint8_t bucket : rtt.bucket) demand(bucket < RTT_BUCKETS, "there are so many buckets");
  DemandRowsOrNone(flows.size(), flows.times.handshake_seconds, flows.times.accepted_seconds, flows.times.ended_at_ms);
  for (const TcpColumns& tcp : flows.tcp)
    DemandRowsOrNone(flows.size(), tcp.retransmits, tcp.out_of_order, tcp.duplicate_acks, tcp.zero_windows, tcp.resets,
                     tcp.rtt_sum_seconds);
  DemandRows(batch.interfaces.interface_slot.size(), batch.interfaces.ended, batch.interfaces.device_present);
  for (const DirectionRows& direction : batch.interfaces.direction)
    CheckDirection(direction, batch.interfaces.interface_slot.size());
}

void Receiver::Take(const DrainResult& batch, bool quiet) {
  CheckColumns(batch);
  TakeStarted(batch.started);
  TakeFlows(batch.flows);
  for (size_t i = 0; i < batch.interfaces.interface_slot.size(); i++) TakeInterface(batch.interfaces, i, quiet);
  if (quiet) demand(batch.live_flows == flows_.size(), "live flows are those that started and did not end");
  demand(!batch.faults.slot_push_failed, "no slot fails to return");
  demand(!batch.audit.violations, "the audit finds the table as its totals say");
}

void Receiver::TakeStarted(const StartedRows& rows) {
  for (size_t i = 0; i < rows.slot.size(); i++) {
    demand(rows.interface_slot[i] < INTERFACE_SLOTS, "a flow is of an interface");
    bool is_new = flows_.emplace(Name{rows.slot[i], rows.generation[i]}, Flow{rows.interface_slot[i]}).second;
    demand(is_new, "a flow starts once");
  }
}

void Receiver::TakeFlows(const FlowRows& rows) {
  for (size_t i = 0; i < rows.size(); i++) {
    auto found = flows_.find({rows.slot[i], rows.generation[i]});
    demand(found != flows_.end(), "a row is of a flow that started and did not end");
    Flow& flow = found->second;
    for (int direction = 0; direction < DIRECTIONS; direction++)
      drained_[flow.interface_slot][direction] +=
          Count{Whole(rows.packets[direction][i]), Whole(rows.bytes[direction][i])};
    Tell(flow.opened, rows.opened[i]);
    Tell(flow.failed, rows.failed[i]);
    Tell(flow.closed, rows.closed[i]);
    if (rows.ended[i]) flows_.erase(found);
  }
}

void Receiver::TakeInterface(const InterfaceRows& rows, size_t row, bool quiet) {
  uint16_t interface = rows.interface_slot[row];
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    const DirectionRows& from = rows.direction[direction];
    Count& drained = drained_[interface][direction];
    Count kept = drained;
    kept += {Whole(from.other_packets[row]), Whole(from.other_bytes[row])};
    kept += {Whole(from.overflow_packets[row]), Whole(from.overflow_bytes[row])};
    kept += {Whole(from.filtered_packets[row]), Whole(from.filtered_bytes[row])};
    Count seen{Whole(from.seen_packets[row]), Whole(from.seen_bytes[row])};
    if (quiet || rows.ended[row]) demand(seen == kept, "seen = drained + other + overflow + filtered");
    if (rows.ended[row]) drained = {};
  }
}

}  // namespace podweir
