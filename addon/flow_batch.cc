#include "flow_batch.h"

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
  AddColumn(to, "ended", rows.ended);
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

}  // namespace

Napi::Object ToBatch(Napi::Env env, const DrainResult& result) {
  Napi::Object faults = Napi::Object::New(env);
  faults.Set("tailCallFailed", static_cast<double>(result.faults.tail_call_failed));
  faults.Set("indexInsertFailed", static_cast<double>(result.faults.index_insert_failed));
  faults.Set("slotPushFailed", static_cast<double>(result.faults.slot_push_failed));
  Napi::Object batch = Napi::Object::New(env);
  batch.Set("sequence", result.sequence);
  batch.Set("readAtMs", result.read_at_ms);
  batch.Set("flows", FlowColumns(env, result.flows));
  batch.Set("started", StartedColumns(env, result.started));
  batch.Set("interfaces", InterfaceColumns(env, result.interfaces));
  batch.Set("liveFlows", result.live_flows);
  batch.Set("faults", faults);
  return batch;
}

}  // namespace podweir
