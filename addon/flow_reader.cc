#include "flow_reader.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "beginning.h"
#include "journal.h"
#include "probe.h"
#include "slot_view.h"
#include "unseen.h"

namespace podweir {
namespace {

constexpr size_t kAddressBytes = 16;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr double kNsPerSecond = 1e9;
constexpr size_t kTimedOutAttempts = 8192;
// Opener evidence as lib/capture/flow-batch.ts names it.
enum Confidence : uint8_t { kFirstPacket = 0, kHandshake = 1, kResumed = 2 };
enum Retired : uint8_t { kGoesOn = 0, kEnded = 1, kParked = 2 };

// NaN while one of them was not seen.
double Seconds(const __u64& from_ns, const __u64& to_ns) {
  uint64_t from = ReadOnce(from_ns), to = ReadOnce(to_ns);
  return from && to ? static_cast<double>(static_cast<int64_t>(to - from)) / kNsPerSecond : NAN;
}

// The opener's initial sequence number; without its SYN there is none, and each attempt is another.
bool FindSyn(const flow_slot& slot, const flow_details& details, uint32_t& sequence) {
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    const flow_half& half = slot.half[direction];
    if (half.handshake == HANDSHAKE_NONE || !(half.known & KNOWN_SYN)) continue;
    sequence = details.tcp[direction].initial_sequence;
    return true;
  }
  return false;
}

}  // namespace

FlowReader::FlowReader(const Probe& probe, const RetireTimes& times)
    : slot_count_(probe.slot_count()),
      slots_(probe.slots()),
      details_(probe.details()),
      connect_timeout_ns_(times.connect_timeout_ms * kNsPerMs),
      abandoned_ms_(times.abandoned_ms),
      seen_(probe.slot_count()),
      tcp_(probe),
      retired_(probe.flow_limit()),
      timed_out_(std::min<size_t>(probe.flow_limit(), kTimedOutAttempts)) {}

void FlowReader::Begin(const DrainTime& time) {
  time_ = time;
  now_ms_ = time.ms();
  acknowledged_unseen_.reset();
}

void FlowReader::ReadLast(uint32_t slot, Leaving why, DrainResult& result) {
  ReadRow(slot, why, result);
  // Otherwise a new connection has the key already, or another interface will have its slot number.
  if (why != Leaving::kTime) return;
  const flow_slot& from = slots_[slot];
  const flow_details& details = details_[slot];
  flow_key6 key = KeyOf(from, details);
  retired_.Add(key);
  uint32_t sequence;
  if (seen_[slot].connection.state() == State::kTimeout && FindSyn(from, details, sequence))
    timed_out_.Add(key, sequence);
}

uint32_t FlowReader::Forget(uint32_t slot) {
  uint32_t generation = seen_[slot].generation + 1;
  if (seen_[slot].kind == Kind::kTcp) tcp_.Forget(slot);
  seen_[slot] = Seen{};
  seen_[slot].generation = generation;
  return generation;
}

void FlowReader::Adopt(uint32_t slot, const Watermark* delivered, bool given_up) {
  const flow_slot& from = slots_[slot];
  Seen& seen = seen_[slot];
  seen.generation = details_[slot].identity.generation;
  if (ReadOnce(First(from).state) == SLOT_FREE) return;
  seen.adopted = !given_up;
  seen.given_up = given_up;
  if (ProtocolOf(First(from)) == IPPROTO_TCP) tcp_.Adopt(slot);
  FlowRow told;
  if (given_up) {
    seen.kind = Kind::kPlain;
    TakeCounts(from, seen, told);
  } else if (delivered) {
    for (int direction = 0; direction < DIRECTIONS; direction++) {
      seen.packets[direction] = delivered->packets[direction];
      seen.bytes[direction] = delivered->bytes[direction];
    }
    seen.connection.Recall({delivered->state, delivered->end, delivered->told});
  }
}

void FlowReader::Mark(Journal& journal) const {
  for (uint32_t slot = 0; slot < slot_count_; slot++) {
    Watermark& watermark = journal.pending(slot);
    if (ReadOnce(First(slots_[slot]).state) == SLOT_FREE) {
      if (watermark.is_set) watermark = Watermark{};
      continue;
    }
    const Seen& seen = seen_[slot];
    const Connection::Memory memory = seen.connection.memory();
    watermark = {{seen.packets[FROM_POD], seen.packets[TO_POD]},
                 {seen.bytes[FROM_POD], seen.bytes[TO_POD]},
                 seen.generation,
                 memory.state,
                 memory.end,
                 memory.told,
                 1};
  }
}

bool FlowReader::TakeCounts(const flow_slot& slot, Seen& seen, FlowRow& row) {
  uint64_t any = 0;
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    const flow_half& half = slot.half[direction];
    uint64_t packets = Gained(seen.packets[direction], uint64_t{ReadOnce(half.packets)});
    uint64_t bytes = Gained(seen.bytes[direction], uint64_t{ReadOnce(half.bytes)});
    any |= packets | bytes;
    row.packets[direction] = static_cast<double>(packets);
    row.bytes[direction] = static_cast<double>(bytes);
  }
  return any;
}

// All of it is in the two lines that are read anyway, and tells whether the details have news.
bool FlowReader::TakeEvents(const flow_slot& slot, Seen& seen) {
  uint32_t events = 0;
  uint8_t steps = 0;
  for (const flow_half& half : slot.half) {
    events += ReadOnce(half.events);
    steps = static_cast<uint8_t>(steps << 4 | ReadOnce(half.handshake) | (ReadOnce(half.known) & KNOWN_FIN ? 8 : 0));
  }
  bool any = events != seen.events || steps != seen.steps;
  seen.events = events;
  seen.steps = steps;
  return any;
}

void FlowReader::ReadRow(uint32_t slot, Leaving why, DrainResult& result) {
  const flow_slot& from = slots_[slot];
  Seen& seen = seen_[slot];
  bool last = why != Leaving::kNo;
  FlowRow row;
  bool moved = TakeCounts(from, seen, row);
  if ((moved && seen.wait <= Wait::kIdle) || !seen.since_ms) seen.since_ms = now_ms_;
  bool tell = moved || last || seen.adopted;
  bool fresh = seen.kind == Kind::kNew;
  uint8_t begun = 0;
  if (seen.given_up && !moved) return;
  seen.adopted = false;
  if (fresh) {
    // Its first packet is not counted yet: it starts with that.
    if (!tell) return;
    AddStarted(slot, result.started);
  }
  State before = seen.connection.state();
  News news;
  bool stirred = TakeEvents(from, seen);
  if (seen.kind == Kind::kTcp) {
    if (moved && AcknowledgesUnseen(from)) acknowledged_unseen_.set(InterfaceOf(First(from)));
    if (stirred || fresh || last || seen.look_again || before == State::kConnecting) {
      news = LookAtTcp(slot, moved);
      tell |= tcp_.Read(slot, last, result);
      begun = KnownBeginning(from);
      tell |= (begun & ~seen.begun) != 0;
    }
    seen.look_again = stirred;
  } else if (stirred && seen.kind == Kind::kRequest) {
    news = seen.connection.LookAtRequest(from, details_[slot].identity);
  }
  if (last) Leave(slot, why, news);
  if (news.failed == Failure::kTimeout && ToldBefore(slot)) news.failed = Failure::kNone;
  if (!tell && !news.any() && seen.connection.state() == before) return;
  if (begun & ~seen.begun) AddBeginning(from, details_[slot], time_, result);
  seen.begun |= begun;
  if (seen.kind == Kind::kTcp) AddTimes(slot, result.flows);
  row.slot = slot;
  row.generation = seen.generation;
  row.opened = news.opened;
  row.failed = static_cast<uint8_t>(news.failed);
  row.closed = static_cast<uint8_t>(news.closed);
  row.state = static_cast<uint8_t>(seen.connection.state());
  row.ended = RetiredAs(seen, why);
  result.flows.Add(row);
}

News FlowReader::LookAtTcp(uint32_t slot, bool moved) {
  const flow_slot& from = slots_[slot];
  const flow_identity& identity = details_[slot].identity;
  Seen& seen = seen_[slot];
  State before = seen.connection.state();
  News news = seen.connection.Look(from, identity, time_.ns, connect_timeout_ns_);
  State state = seen.connection.state();
  seen.wait = WaitOf(state);
  int64_t ended_ms = seen.connection.EndedNs(identity, time_.ns, connect_timeout_ns_) / kNsPerMs;
  if (state == State::kUnreachable) seen.since_ms = std::max(moved ? now_ms_ : seen.since_ms, ended_ms);
  else if (state == State::kTimeout) seen.since_ms = state == before ? seen.since_ms : now_ms_;
  else if (ended_ms) seen.since_ms = ended_ms;
  else if (moved) seen.since_ms = now_ms_;
  return news;
}

void FlowReader::Leave(uint32_t slot, Leaving why, News& news) {
  Seen& seen = seen_[slot];
  if (why == Leaving::kInterfaceGone || seen.kind == Kind::kPlain) return;
  News more = seen.connection.Leave(slots_[slot]);
  if (more.failed != Failure::kNone) news.failed = more.failed;
  if (more.closed != Closed::kNone) news.closed = more.closed;
}

// Its slot was given back between two of its SYNs: the attempt goes on, and has failed already.
bool FlowReader::ToldBefore(uint32_t slot) const {
  const flow_slot& from = slots_[slot];
  uint32_t sequence;
  const flow_details& details = details_[slot];
  return FindSyn(from, details, sequence) && timed_out_.Contains(KeyOf(from, details), sequence);
}

// Only a connection that is still open is parked.
uint8_t FlowReader::RetiredAs(const Seen& seen, Leaving why) const {
  if (why == Leaving::kNo) return kGoesOn;
  bool open = seen.wait == Wait::kIdle && why == Leaving::kTime;
  return open && now_ms_ - seen.since_ms < abandoned_ms_ ? kParked : kEnded;
}

void FlowReader::AddTimes(uint32_t slot, FlowRows& rows) const {
  const flow_identity& identity = details_[slot].identity;
  int64_t ended_ns = seen_[slot].connection.EndedNs(identity, time_.ns, connect_timeout_ns_);
  TimesRow row{static_cast<uint32_t>(rows.size()), Seconds(identity.syn_ns, identity.syn_ack_ns),
               Seconds(identity.syn_ack_ns, identity.established_ns), ended_ns ? time_.WallMs(ended_ns) : NAN};
  if (!std::isnan(row.handshake_seconds) || !std::isnan(row.accepted_seconds) || ended_ns)
    rows.noted_times.push_back(row);
}

void FlowReader::AddStarted(uint32_t slot, StartedRows& rows) {
  const flow_half& flow = First(slots_[slot]);
  const flow_details& details = details_[slot];
  const flow_identity& identity = details.identity;
  bool v4 = IsIpv4(flow.state);
  rows.slot.push_back(slot);
  rows.generation.push_back(seen_[slot].generation);
  for (auto [address, to] : {std::pair{v4 ? &flow.key4.local : details.key6.local, &rows.local_address},
                             std::pair{v4 ? &flow.key4.remote : details.key6.remote, &rows.remote_address}}) {
    to->resize(to->size() + kAddressBytes);
    memcpy(to->data() + to->size() - kAddressBytes, address, v4 ? sizeof(*address) : kAddressBytes);
  }
  uint8_t protocol = ProtocolOf(flow), flags = FlagsOf(flow);
  rows.family.push_back(v4 ? 4 : 6);
  rows.local_port.push_back(ntohs(flow.key4.local_port));
  rows.remote_port.push_back(ntohs(flow.key4.remote_port));
  rows.protocol.push_back(protocol);
  rows.flags.push_back(flags);
  rows.interface_slot.push_back(InterfaceOf(flow));
  uint8_t opener = ReadOnce(identity.opener);
  uint8_t first_sender = identity.first_direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
  rows.opener.push_back(opener != OPENER_UNKNOWN ? opener : first_sender);
  rows.confidence.push_back(opener != OPENER_UNKNOWN                          ? kHandshake
                            : retired_.Contains(KeyOf(slots_[slot], details)) ? kResumed
                                                                              : kFirstPacket);
  rows.start_ms.push_back(time_.WallMs(identity.started_ns));
  bool request = protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
  Kind kind = protocol == IPPROTO_TCP ? Kind::kTcp : request ? Kind::kRequest : Kind::kPlain;
  bool many = flags & FLOW_COLLAPSED || (protocol == IPPROTO_TCP && flags & FLOW_FRAGMENT);
  seen_[slot].kind = many ? Kind::kPlain : kind;
}

}  // namespace podweir
