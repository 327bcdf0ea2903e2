#include "flow_batch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace podweir {
namespace {

// The receiver owns what it gets: a copy, since a drain's rows end with the call.
template <typename T>
void AddColumn(Napi::Object to, const char* name, const std::vector<T>& rows) {
  auto column = Napi::TypedArrayOf<T>::New(to.Env(), rows.size());
  if (!rows.empty()) memcpy(column.Data(), rows.data(), rows.size() * sizeof(T));
  to.Set(name, column);
}

// Of rows that most flows have none of: the others are 0, or what `rest` says.
template <typename T, typename Row, typename Value>
void AddSparse(Napi::Object to, const char* name, size_t length, const std::vector<Row>& rows, Value Row::*value,
               T rest = 0) {
  auto column = Napi::TypedArrayOf<T>::New(to.Env(), length);
  T* values = column.Data();
  // New memory is zero already, and what nobody writes to takes none.
  if (rest != 0) std::fill_n(values, length, rest);
  for (const Row& row : rows) values[row.row] = static_cast<T>(row.*value);
  to.Set(name, column);
}

Napi::Object TcpColumns(Napi::Env env, size_t length, const std::vector<TcpRow>& rows) {
  Napi::Object to = Napi::Object::New(env);
  AddSparse<uint32_t>(to, "retransmits", length, rows, &TcpRow::retransmits);
  AddSparse<uint32_t>(to, "outOfOrder", length, rows, &TcpRow::out_of_order);
  AddSparse<uint32_t>(to, "duplicateAcks", length, rows, &TcpRow::duplicate_acks);
  AddSparse<uint32_t>(to, "zeroWindows", length, rows, &TcpRow::zero_windows);
  AddSparse<uint32_t>(to, "resets", length, rows, &TcpRow::resets);
  AddSparse<double>(to, "rttSumSeconds", length, rows, &TcpRow::rtt_sum_seconds);
  return to;
}

Napi::Object FlowColumns(Napi::Env env, const FlowRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.slot.size()));
  AddColumn(to, "slot", rows.slot);
  AddColumn(to, "generation", rows.generation);
  AddColumn(to, "fromPodPackets", rows.packets[FROM_POD]);
  AddColumn(to, "fromPodBytes", rows.bytes[FROM_POD]);
  AddColumn(to, "toPodPackets", rows.packets[TO_POD]);
  AddColumn(to, "toPodBytes", rows.bytes[TO_POD]);
  AddColumn(to, "opened", rows.opened);
  AddColumn(to, "failed", rows.failed);
  AddColumn(to, "closed", rows.closed);
  AddColumn(to, "state", rows.state);
  AddColumn(to, "ended", rows.ended);
  AddSparse<double>(to, "handshakeSeconds", rows.size(), rows.times, &TimesRow::handshake_seconds, NAN);
  AddSparse<double>(to, "acceptedSeconds", rows.size(), rows.times, &TimesRow::accepted_seconds, NAN);
  AddSparse<double>(to, "endedAtMs", rows.size(), rows.times, &TimesRow::ended_at_ms, NAN);
  to.Set("fromPod", TcpColumns(env, rows.size(), rows.tcp[FROM_POD]));
  to.Set("toPod", TcpColumns(env, rows.size(), rows.tcp[TO_POD]));
  return to;
}

Napi::Object RttColumns(Napi::Env env, const RttRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.row.size()));
  AddColumn(to, "row", rows.row);
  AddColumn(to, "direction", rows.direction);
  AddColumn(to, "bucket", rows.bucket);
  AddColumn(to, "count", rows.count);
  return to;
}

Napi::Object StartedColumns(Napi::Env env, const StartedRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.slot.size()));
  AddColumn(to, "slot", rows.slot);
  AddColumn(to, "generation", rows.generation);
  AddColumn(to, "localAddress", rows.local_address);
  AddColumn(to, "remoteAddress", rows.remote_address);
  AddColumn(to, "family", rows.family);
  AddColumn(to, "localPort", rows.local_port);
  AddColumn(to, "remotePort", rows.remote_port);
  AddColumn(to, "protocol", rows.protocol);
  AddColumn(to, "flags", rows.flags);
  AddColumn(to, "interfaceSlot", rows.interface_slot);
  AddColumn(to, "opener", rows.opener);
  AddColumn(to, "confidence", rows.confidence);
  AddColumn(to, "startMs", rows.start_ms);
  return to;
}

Napi::Object DirectionColumns(Napi::Env env, const DirectionRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  AddColumn(to, "skbs", rows.skbs);
  AddColumn(to, "skbBytes", rows.skb_bytes);
  AddColumn(to, "seenPackets", rows.seen_packets);
  AddColumn(to, "seenBytes", rows.seen_bytes);
  AddColumn(to, "otherPackets", rows.other_packets);
  AddColumn(to, "otherBytes", rows.other_bytes);
  AddColumn(to, "overflowPackets", rows.overflow_packets);
  AddColumn(to, "overflowBytes", rows.overflow_bytes);
  AddColumn(to, "filteredPackets", rows.filtered_packets);
  AddColumn(to, "filteredBytes", rows.filtered_bytes);
  AddColumn(to, "classPackets", rows.class_packets);
  AddColumn(to, "classBytes", rows.class_bytes);
  AddColumn(to, "devicePackets", rows.device_packets);
  AddColumn(to, "overseenSkbs", rows.overseen_skbs);
  AddColumn(to, "unobservedSkbs", rows.unobserved_skbs);
  return to;
}

Napi::Object InterfaceColumns(Napi::Env env, const InterfaceRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.interface_slot.size()));
  AddColumn(to, "interfaceSlot", rows.interface_slot);
  AddColumn(to, "ended", rows.ended);
  AddColumn(to, "devicePresent", rows.device_present);
  to.Set("fromPod", DirectionColumns(env, rows.direction[FROM_POD]));
  to.Set("toPod", DirectionColumns(env, rows.direction[TO_POD]));
  return to;
}

Napi::Object FaultsOf(Napi::Env env, const cpu_scratch& faults) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("tailCallFailed", static_cast<double>(faults.tail_call_failed));
  to.Set("indexInsertFailed", static_cast<double>(faults.index_insert_failed));
  to.Set("slotPushFailed", static_cast<double>(faults.slot_push_failed));
  to.Set("connectionsMerged", static_cast<double>(faults.connections_merged));
  return to;
}

Napi::Object AuditOf(Napi::Env env, const AuditResult& audit) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("audits", audit.audits);
  to.Set("violations", audit.violations);
  to.Set("newest", audit.newest);
  return to;
}

}  // namespace

Napi::Object ToBatch(Napi::Env env, const DrainResult& result) {
  Napi::Object batch = Napi::Object::New(env);
  batch.Set("sequence", result.sequence);
  batch.Set("readAtMs", result.read_at_ms);
  batch.Set("flows", FlowColumns(env, result.flows));
  batch.Set("rtt", RttColumns(env, result.rtt));
  batch.Set("started", StartedColumns(env, result.started));
  batch.Set("interfaces", InterfaceColumns(env, result.interfaces));
  batch.Set("liveFlows", result.live_flows);
  batch.Set("collapsedFlows", result.collapsed_flows);
  batch.Set("faults", FaultsOf(env, result.faults));
  batch.Set("audit", AuditOf(env, result.audit));
  return batch;
}

}  // namespace podweir
