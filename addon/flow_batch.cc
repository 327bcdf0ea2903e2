#include "flow_batch.h"

#include <cmath>

#include "js_columns.h"

namespace podweir {
namespace {

using Zeros = ConstantColumn<uint32_t>;
using Numbers = ConstantColumn<double>;

Napi::Object ToObject(Napi::Env env, TcpColumns& columns, Zeros& zeros, Numbers& zero_seconds) {
  Napi::Object to = Napi::Object::New(env);
  zeros.AddUnless(columns.retransmits, to, "retransmits");
  zeros.AddUnless(columns.out_of_order, to, "outOfOrder");
  zeros.AddUnless(columns.duplicate_acks, to, "duplicateAcks");
  zeros.AddUnless(columns.zero_windows, to, "zeroWindows");
  zeros.AddUnless(columns.resets, to, "resets");
  zero_seconds.AddUnless(columns.rtt_sum_seconds, to, "rttSumSeconds");
  return to;
}

Napi::Object ToObject(Napi::Env env, FlowRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  size_t length = rows.size();
  Zeros zeros(env, length, 0);
  Numbers zero_seconds(env, length, 0), unknown(env, length, NAN);
  to.Set("length", static_cast<double>(length));
  unknown.AddUnless(rows.times.handshake_seconds, to, "handshakeSeconds");
  unknown.AddUnless(rows.times.accepted_seconds, to, "acceptedSeconds");
  unknown.AddUnless(rows.times.ended_at_ms, to, "endedAtMs");
  to.Set("fromPod", ToObject(env, rows.tcp[FROM_POD], zeros, zero_seconds));
  to.Set("toPod", ToObject(env, rows.tcp[TO_POD], zeros, zero_seconds));
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
  return to;
}

Napi::Object ToObject(Napi::Env env, RttRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.row.size()));
  AddColumn(to, "row", rows.row);
  AddColumn(to, "direction", rows.direction);
  AddColumn(to, "bucket", rows.bucket);
  AddColumn(to, "count", rows.count);
  return to;
}

Napi::Object ToObject(Napi::Env env, BeginningRows::Side& rows) {
  Napi::Object to = Napi::Object::New(env);
  AddColumn(to, "hasSequence", rows.has_sequence);
  AddColumn(to, "sequence", rows.sequence);
  AddColumn(to, "firstDataAtMs", rows.first_data_at_ms);
  return to;
}

Napi::Object ToObject(Napi::Env env, BeginningRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.row.size()));
  AddColumn(to, "row", rows.row);
  AddColumn(to, "synAtMs", rows.syn_at_ms);
  to.Set("fromPod", ToObject(env, rows.side[FROM_POD]));
  to.Set("toPod", ToObject(env, rows.side[TO_POD]));
  return to;
}

Napi::Object ToObject(Napi::Env env, StartedRows& rows) {
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

Napi::Object ToObject(Napi::Env env, DirectionRows& rows) {
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

Napi::Object ToObject(Napi::Env env, InterfaceRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.interface_slot.size()));
  AddColumn(to, "interfaceSlot", rows.interface_slot);
  AddColumn(to, "ended", rows.ended);
  AddColumn(to, "devicePresent", rows.device_present);
  AddColumn(to, "condition", rows.condition);
  to.Set("fromPod", ToObject(env, rows.direction[FROM_POD]));
  to.Set("toPod", ToObject(env, rows.direction[TO_POD]));
  return to;
}

Napi::Object ToObject(Napi::Env env, const cpu_scratch& faults) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("tailCallFailed", static_cast<double>(faults.tail_call_failed));
  to.Set("indexInsertFailed", static_cast<double>(faults.index_insert_failed));
  to.Set("slotPushFailed", static_cast<double>(faults.slot_push_failed));
  to.Set("connectionsMerged", static_cast<double>(faults.connections_merged));
  return to;
}

Napi::Object ToObject(Napi::Env env, const AuditResult& audit) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("audits", audit.audits);
  to.Set("violations", audit.violations);
  to.Set("newest", audit.newest);
  return to;
}

template <typename Rows>
Napi::Object TableOf(Napi::Env env, Rows& rows, size_t length, Napi::ObjectReference& empty) {
  if (length) return ToObject(env, rows);
  if (empty.IsEmpty()) empty = Napi::Persistent(ToObject(env, rows));
  return empty.Value();
}

}  // namespace

Napi::Object ToBatch(Napi::Env env, DrainResult& result, EmptyTables& empty) {
  Napi::Object batch = Napi::Object::New(env);
  batch.Set("sequence", result.sequence);
  batch.Set("readAtMs", result.read_at_ms);
  batch.Set("flows", TableOf(env, result.flows, result.flows.size(), empty.flows));
  batch.Set("rtt", TableOf(env, result.rtt, result.rtt.row.size(), empty.rtt));
  batch.Set("beginnings", TableOf(env, result.beginnings, result.beginnings.row.size(), empty.beginnings));
  batch.Set("started", TableOf(env, result.started, result.started.slot.size(), empty.started));
  batch.Set("interfaces", TableOf(env, result.interfaces, result.interfaces.interface_slot.size(), empty.interfaces));
  batch.Set("liveFlows", result.live_flows);
  batch.Set("collapsedFlows", result.collapsed_flows);
  batch.Set("faults", ToObject(env, result.faults));
  batch.Set("audit", ToObject(env, result.audit));
  return batch;
}

}  // namespace podweir
