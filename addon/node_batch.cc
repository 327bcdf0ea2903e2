#include "node_batch.h"

#include <algorithm>

#include "js_columns.h"
#include "probe_objects.h"

namespace podweir {
namespace {

template <typename Row, typename First, typename Second>
std::vector<Row> Zipped(const Napi::CallbackInfo& info) {
  std::vector<Row> rows;
  if (!info[0].IsTypedArray() || !info[1].IsTypedArray()) return rows;
  auto first = info[0].As<Napi::TypedArrayOf<First>>();
  auto second = info[1].As<Napi::TypedArrayOf<Second>>();
  size_t length = std::min(first.ElementLength(), second.ElementLength());
  for (size_t i = 0; i < length; i++) rows.push_back({first[i], second[i]});
  return rows;
}

}  // namespace

std::vector<FlowName> ToFlowNames(const Napi::CallbackInfo& info) { return Zipped<FlowName, uint32_t, uint32_t>(info); }

std::vector<Endpoint> ToEndpoints(const Napi::CallbackInfo& info) { return Zipped<Endpoint, uint8_t, uint16_t>(info); }

Napi::Value ToTranslations(Napi::Env env, TranslationRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  AddColumn(to, "tracked", rows.tracked);
  AddColumn(to, "backendAddress", rows.backend_address);
  AddColumn(to, "backendPort", rows.backend_port);
  return to;
}

Napi::Value ToSockets(Napi::Env env, SocketRows& rows) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.size()));
  AddColumn(to, "protocol", rows.protocol);
  AddColumn(to, "family", rows.family);
  AddColumn(to, "onlyIpv6", rows.only_ipv6);
  AddColumn(to, "port", rows.port);
  AddColumn(to, "address", rows.address);
  AddColumn(to, "cgroup", rows.cgroup);
  to.Set("cgroups", ToArray(env, rows.cgroups));
  return to;
}

}  // namespace podweir
