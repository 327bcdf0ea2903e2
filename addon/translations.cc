#include "translations.h"

#include <arpa/inet.h>

#include <optional>

#include "slot_view.h"

namespace podweir {
namespace {

// As long as packets with its addresses and ports are the flow's: a new connection on them takes a slot of its own,
// before connection tracking sees its first packet.
std::optional<Tuple> TupleOf(const Probe& probe, const FlowName& flow) {
  // Behind the limit are those that lack a port.
  if (flow.slot >= probe.flow_limit()) return {};
  const flow_slot& slot = probe.slots()[flow.slot];
  const flow_details& details = probe.details()[flow.slot];
  uint8_t state = ReadOnce(First(slot).state);
  if (state != SLOT_IPV4 && state != SLOT_IPV6) return {};
  if (ReadOnce(details.identity.generation) != flow.generation || FlagsOf(First(slot))) return {};
  Tuple tuple;
  tuple.family = state;
  tuple.protocol = ProtocolOf(First(slot));
  tuple.source_port = First(slot).key4.local_port;
  tuple.destination_port = First(slot).key4.remote_port;
  if (state == SLOT_IPV4) {
    memcpy(tuple.source, &First(slot).key4.local, sizeof(First(slot).key4.local));
    memcpy(tuple.destination, &First(slot).key4.remote, sizeof(First(slot).key4.remote));
  } else {
    memcpy(tuple.source, details.key6.local, sizeof(details.key6.local));
    memcpy(tuple.destination, details.key6.remote, sizeof(details.key6.remote));
  }
  return tuple;
}

}  // namespace

Result<TranslationRows> LookUpFlows(const Probe& probe, Result<Conntrack>& conntrack,
                                    const std::vector<FlowName>& flows) {
  if (!conntrack.ok()) return conntrack.status;
  std::vector<Tuple> tuples;
  std::vector<size_t> rows;
  for (size_t i = 0; i < flows.size(); i++) {
    std::optional<Tuple> tuple = TupleOf(probe, flows[i]);
    if (!tuple) continue;
    tuples.push_back(*tuple);
    rows.push_back(i);
  }
  TranslationRows found;
  found.tracked.resize(flows.size(), static_cast<uint8_t>(Tracked::kGone));
  found.backend_address.resize(flows.size() * sizeof(Tuple::source));
  found.backend_port.resize(flows.size());
  std::vector<Track> tracks = conntrack->LookUp(tuples);
  for (size_t k = 0; k < tracks.size(); k++) {
    size_t i = rows[k];
    if (!TupleOf(probe, flows[i])) continue;
    found.tracked[i] = static_cast<uint8_t>(tracks[k].tracked);
    if (tracks[k].tracked != Tracked::kTranslated) continue;
    memcpy(&found.backend_address[i * sizeof(Tuple::source)], tracks[k].reply.source, sizeof(Tuple::source));
    found.backend_port[i] = ntohs(tracks[k].reply.source_port);
  }
  return found;
}

}  // namespace podweir
