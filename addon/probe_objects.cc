#include "probe_objects.h"

#include <cmath>

#include "scope_options.h"

namespace podweir {
namespace {

constexpr double kFewestFlows = 16, kMostFlows = 1 << 20;
constexpr double kLongestMs = 1e12;

const char* NameOf(CounterKind kind) {
  return kind == CounterKind::kSkb ? "skb" : kind == CounterKind::kWire ? "wire" : "unknown";
}

std::string TextOf(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

// NaN when it is no number.
double NumberOf(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
}

struct NamedTime {
  const char* name;
  int64_t RetireTimes::*time;
};
constexpr NamedTime kRetireTimes[] = {
    {"closedMs", &RetireTimes::closed_ms},
    {"failedMs", &RetireTimes::failed_ms},
    {"halfOpenMs", &RetireTimes::half_open_ms},
    {"datagramMs", &RetireTimes::datagram_ms},
    {"idleMs", &RetireTimes::idle_ms},
    {"abandonedMs", &RetireTimes::abandoned_ms},
    {"connectTimeoutMs", &RetireTimes::connect_timeout_ms},
};

Napi::Object ToObject(Napi::Env env, uint64_t packets, uint64_t bytes) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("packets", static_cast<double>(packets));
  to.Set("bytes", static_cast<double>(bytes));
  return to;
}

Napi::Object BothWays(Napi::Env env, const Amounts& amounts) {
  return ToObject(env, amounts.packets[FROM_POD] + amounts.packets[TO_POD],
                  amounts.bytes[FROM_POD] + amounts.bytes[TO_POD]);
}

Napi::Object ToObject(Napi::Env env, const Continued& from, flow_direction direction) {
  Napi::Object to = Napi::Object::New(env);
  const DeviceReading& reading = from.reading;
  auto set = [&](const char* name, uint64_t value) { to.Set(name, static_cast<double>(value)); };
  to.Set("counter", NameOf(from.kind[direction]));
  to.Set("flow", ToObject(env, from.drained.flows.packets[direction], from.drained.flows.bytes[direction]));
  to.Set("collapsed",
         ToObject(env, from.drained.collapsed.packets[direction], from.drained.collapsed.bytes[direction]));
  set("device", direction == FROM_POD ? reading.device.tx_packets : reading.device.rx_packets);
  set("skbs", reading.skbs[direction]);
  set("packets", reading.packets[direction]);
  set("overseen", reading.overseen[direction]);
  set("unobserved", from.unobserved[direction] + reading.bypassed[direction] + reading.missed[direction]);
  set("unobservedBefore", from.unobserved[direction]);
  return to;
}

}  // namespace

Napi::Object ToObject(Napi::Env env, const Continued& from) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("interfaceSlot", from.slot);
  to.Set("fromPod", ToObject(env, from, FROM_POD));
  to.Set("toPod", ToObject(env, from, TO_POD));
  return to;
}

Napi::Object ToObject(Napi::Env env, const Adoption& adoption) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("pinned", adoption.pinned);
  to.Set("adopted", adoption.adopted);
  to.Set("startedAtMs", static_cast<double>(adoption.started_at_ms));
  to.Set("drained", BothWays(env, adoption.drained));
  to.Set("restart", BothWays(env, adoption.restart));
  to.Set("delivery", adoption.delivery);
  to.Set("ledger", adoption.ledger);
  to.Set("interfaces", ToArray(env, adoption.interfaces));
  return to;
}

Napi::Object ToObject(Napi::Env env, const AttachmentInfo& info) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("interfaceSlot", info.slot);
  to.Set("device", info.device);
  to.Set("place", info.place == Place::kPod ? "pod" : "host");
  to.Set("hook", info.hook == Hook::kTcx ? "tcx" : "clsact");
  to.Set("attachedAtMs", static_cast<double>(info.attached_at_ms));
  to.Set("transmitCounter", NameOf(info.transmit));
  to.Set("receiveCounter", NameOf(info.receive));
  to.Set("baselineExact", info.baseline_exact);
  to.Set("replacedStale", info.replaced_stale);
  to.Set("adopted", info.adopted);
  // Of one that goes on it was told long ago.
  if (info.adopted) return to;
  Napi::Object before = Napi::Object::New(env);
  before.Set("transmit", static_cast<double>(info.counted_before[FROM_POD]));
  before.Set("receive", static_cast<double>(info.counted_before[TO_POD]));
  to.Set("countedBefore", before);
  return to;
}

Napi::Object ToObject(Napi::Env env, const Link& link) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("index", link.index);
  to.Set("name", link.name);
  to.Set("kind", link.kind);
  to.Set("ethernet", link.ethernet);
  to.Set("loopback", link.loopback);
  to.Set("up", link.up);
  to.Set("peerIndex", link.peer_index);
  to.Set("peerNamespaceId", link.peer_namespace_id);
  to.Set("address", link.address);
  to.Set("transmitPackets", static_cast<double>(link.counters.tx_packets));
  to.Set("receivePackets", static_cast<double>(link.counters.rx_packets));
  return to;
}

Napi::Object ToObject(Napi::Env env, const NamespaceEntry& entry) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("path", entry.path);
  to.Set("inode", static_cast<double>(entry.inode));
  to.Set("id", entry.id);
  to.Set("process", entry.process);
  return to;
}

Napi::Object ToObject(Napi::Env env, const ProgramInfo& program) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("name", program.name);
  to.Set("tag", program.tag);
  to.Set("id", program.id);
  to.Set("nanoseconds", static_cast<double>(program.run_time_ns));
  to.Set("runs", static_cast<double>(program.runs));
  to.Set("verifiedInstructions", program.instructions);
  return to;
}

Napi::Object ToObject(Napi::Env env, const MapInfo& map) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("name", map.name);
  to.Set("id", map.id);
  to.Set("memoryBytes", static_cast<double>(map.memory_bytes));
  return to;
}

Napi::Object ToObject(Napi::Env env, const Inspection& inspection) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("programs", ToArray(env, inspection.programs));
  to.Set("maps", ToArray(env, inspection.maps));
  return to;
}

Napi::Object ToObject(Napi::Env env, const ProgramTime& time) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("nanoseconds", static_cast<double>(time.nanoseconds));
  to.Set("runs", static_cast<double>(time.runs));
  return to;
}

Napi::Object ToObject(Napi::Env env, const Detached& detached) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("links", detached.links);
  to.Set("maps", detached.maps);
  to.Set("filters", detached.swept.filters);
  to.Set("qdiscs", detached.swept.qdiscs);
  to.Set("emptyClsacts", ToArray(env, detached.swept.empty_clsacts));
  return to;
}

AttachRequest ToAttachRequest(const Napi::Object& from) {
  std::string hook = TextOf(from, "hook");
  double inode = NumberOf(from, "inode");
  return AttachRequest{TextOf(from, "netns"),
                       TextOf(from, "device"),
                       TextOf(from, "place") == "host" ? Place::kHost : Place::kPod,
                       hook == "tcx"      ? Hook::kTcx
                       : hook == "clsact" ? Hook::kClsact
                                          : Hook::kAuto,
                       std::isnan(inode) ? 0 : static_cast<unsigned long>(inode),
                       from.Get("held").ToBoolean()};
}

std::string ReadOptions(const Napi::Value& from, ProbeOptions& probe, DrainOptions& drain) {
  if (!from.IsObject()) return "Probe takes { flowLimit, retire, auditEvery, scope }";
  auto options = from.As<Napi::Object>();
  double flow_limit = NumberOf(options, "flowLimit");
  if (!(flow_limit >= kFewestFlows && flow_limit <= kMostFlows)) return "flowLimit is not 16 to 1048576";
  probe.flow_limit = static_cast<uint32_t>(flow_limit);
  double audit_every = NumberOf(options, "auditEvery");
  if (!(audit_every >= 0 && audit_every <= UINT32_MAX)) return "auditEvery is no number of drains";
  drain.audit_every = static_cast<uint32_t>(audit_every);
  probe.pins = TextOf(options, "pins");
  if (!options.Get("retire").IsObject()) return "retire is no object";
  auto retire = options.Get("retire").As<Napi::Object>();
  for (const auto& [name, time] : kRetireTimes) {
    double ms = NumberOf(retire, name);
    if (!(std::isfinite(ms) && ms >= 0)) return std::string("retire.") + name + " is no time in ms";
    // Beyond this it is never; the sum of it and a clock still fits.
    drain.retire.*time = static_cast<int64_t>(std::fmin(ms, kLongestMs));
  }
  return ReadScope(options.Get("scope"), probe.scope);
}

}  // namespace podweir
