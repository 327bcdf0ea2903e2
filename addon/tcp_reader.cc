#include "tcp_reader.h"

#include "probe.h"
#include "slot_view.h"

namespace podweir {
namespace {

constexpr double kNsPerSecond = 1e9;

}  // namespace

TcpReader::TcpReader(const Probe& probe) : probe_(probe), seen_(probe.slot_count()), buckets_(probe.slot_count()) {}

bool TcpReader::Read(uint32_t slot, bool last, DrainResult& result) {
  bool from_pod = ReadDirection(slot, FROM_POD, last, result);
  bool to_pod = ReadDirection(slot, TO_POD, last, result);
  return from_pod || to_pod;
}

bool TcpReader::ReadDirection(uint32_t slot, int direction, bool last, DrainResult& result) {
  const flow_tcp& tcp = probe_.details()[slot].tcp[direction];
  Seen& seen = seen_[slot].direction[direction];
  uint32_t events = ReadOnce(probe_.slots()[slot].half[direction].events);
  // An event is counted behind what it tells of, and that is read again once.
  if (events == seen.events && !seen.look_again && !last) return false;
  bool moved = events != seen.events;
  seen.events = events;
  TcpRow row{};
  row.row = static_cast<uint32_t>(result.flows.size());
  row.retransmits = Gained(seen.retransmits, uint32_t{ReadOnce(tcp.retransmits)});
  row.out_of_order = Gained(seen.out_of_order, uint32_t{ReadOnce(tcp.out_of_order)});
  row.duplicate_acks = Gained(seen.duplicate_acks, uint32_t{ReadOnce(tcp.duplicate_acks)});
  row.zero_windows = Gained(seen.zero_windows, static_cast<uint16_t>(ReadOnce(tcp.zero_windows)));
  row.resets = Gained(seen.resets, uint16_t{ReadOnce(tcp.resets)});
  uint64_t rtt_ns = Gained(seen.rtt_sum_ns, uint64_t{ReadOnce(tcp.rtt_sum_ns)});
  bool any = row.retransmits || row.out_of_order || row.duplicate_acks || row.zero_windows || row.resets || rtt_ns;
  if (any) {
    row.rtt_sum_seconds = static_cast<double>(rtt_ns) / kNsPerSecond;
    result.flows.noted_tcp[direction].push_back(row);
  }
  if (rtt_ns || seen.look_again || (last && seen.rtt_sum_ns)) any |= ReadBuckets(slot, direction, result);
  seen.look_again = moved;
  return any;
}

bool TcpReader::ReadBuckets(uint32_t slot, int direction, DrainResult& result) {
  const flow_details& details = probe_.details()[slot];
  RttRows& rows = result.rtt;
  bool any = false;
  for (int bucket = 0; bucket < RTT_BUCKETS; bucket++) {
    uint32_t count =
        Gained(buckets_[slot].direction[direction][bucket], uint32_t{ReadOnce(details.rtt_buckets[direction][bucket])});
    if (!count) continue;
    rows.row.push_back(static_cast<uint32_t>(result.flows.size()));
    rows.direction.push_back(static_cast<uint8_t>(direction));
    rows.bucket.push_back(static_cast<uint8_t>(bucket));
    rows.count.push_back(count);
    any = true;
  }
  return any;
}

void TcpReader::Forget(uint32_t slot) {
  for (const Seen& seen : seen_[slot].direction)
    if (seen.rtt_sum_ns) {
      buckets_[slot] = Buckets{};
      break;
    }
  seen_[slot] = SeenBothWays{};
}

void TcpReader::Adopt(uint32_t slot) {
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    const flow_tcp& tcp = probe_.details()[slot].tcp[direction];
    Seen& seen = seen_[slot].direction[direction];
    seen.events = ReadOnce(probe_.slots()[slot].half[direction].events);
    seen.retransmits = ReadOnce(tcp.retransmits);
    seen.out_of_order = ReadOnce(tcp.out_of_order);
    seen.duplicate_acks = ReadOnce(tcp.duplicate_acks);
    seen.zero_windows = static_cast<uint16_t>(ReadOnce(tcp.zero_windows));
    seen.resets = ReadOnce(tcp.resets);
    seen.rtt_sum_ns = ReadOnce(tcp.rtt_sum_ns);
    for (int bucket = 0; bucket < RTT_BUCKETS; bucket++)
      buckets_[slot].direction[direction][bucket] = ReadOnce(probe_.details()[slot].rtt_buckets[direction][bucket]);
  }
}

}  // namespace podweir
