#include "dns_batch.h"

#include "js_columns.h"

namespace podweir {

Napi::Value ToDnsBatch(Napi::Env env, DnsReading& reading) {
  DnsRows& rows = reading.rows;
  Napi::Object to = Napi::Object::New(env);
  to.Set("length", static_cast<double>(rows.size()));
  to.Set("wallMinusMonotonicMs", reading.wall_minus_monotonic_ms);
  to.Set("lost", static_cast<double>(reading.lost));
  AddColumn(to, "monotonicMs", rows.monotonic_ms);
  AddColumn(to, "interfaceSlot", rows.interface_slot);
  AddColumn(to, "localPort", rows.local_port);
  AddColumn(to, "fromPod", rows.from_pod);
  AddColumn(to, "family", rows.family);
  AddColumn(to, "protocol", rows.protocol);
  AddColumn(to, "cut", rows.cut);
  AddColumn(to, "localAddress", rows.local_address);
  AddColumn(to, "remoteAddress", rows.remote_address);
  AddColumn(to, "end", rows.end);
  AddColumn(to, "bytes", rows.bytes);
  return to;
}

}  // namespace podweir
