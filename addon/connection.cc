#include "connection.h"

#include <algorithm>

#include "slot_view.h"

namespace podweir {
namespace {

bool HasFin(const flow_slot& slot) {
  return (ReadOnce(slot.half[FROM_POD].known) | ReadOnce(slot.half[TO_POD].known)) & KNOWN_FIN;
}

State StateAfter(uint8_t end) {
  switch (end) {
    case END_FIN:
      return State::kClosed;
    case END_RESET_BY_LOCAL:
      return State::kResetByLocal;
    case END_RESET_BY_REMOTE:
      return State::kResetByRemote;
    case END_REFUSED:
      return State::kRefused;
    default:
      return State::kResetEarly;
  }
}

// The kernel writes the time of an event right behind the event: what is not there yet is now.
int64_t TimeOf(const __u64& event_ns, int64_t now_ns) {
  uint64_t value = ReadOnce(event_ns);
  return value ? static_cast<int64_t>(value) : now_ns;
}

State Undecided(const flow_identity& identity, uint8_t handshake, int64_t now_ns, int64_t connect_timeout_ns) {
  if (ReadOnce(identity.unreachable)) return State::kUnreachable;
  bool overdue = now_ns - TimeOf(identity.last_syn_ns, now_ns) >= connect_timeout_ns;
  return handshake == HANDSHAKE_SYN && overdue ? State::kTimeout : State::kConnecting;
}

}  // namespace

uint8_t HandshakeOf(const flow_slot& slot) {
  return std::max(ReadOnce(slot.half[FROM_POD].handshake), ReadOnce(slot.half[TO_POD].handshake));
}

bool IsUnanswered(const flow_slot& slot) {
  return !ReadOnce(slot.half[FROM_POD].packets) || !ReadOnce(slot.half[TO_POD].packets);
}

News Connection::Look(const flow_slot& slot, const flow_identity& identity, int64_t now_ns,
                      int64_t connect_timeout_ns) {
  News news;
  uint8_t handshake = HandshakeOf(slot);
  if (end_ == END_NONE) end_ = ReadOnce(identity.end);
  if (handshake == HANDSHAKE_DONE && !(told_ & kToldOpened)) {
    told_ |= kToldOpened;
    news.opened = true;
  }
  if (end_ != END_NONE) state_ = StateAfter(end_);
  else if (handshake == HANDSHAKE_SYN || handshake == HANDSHAKE_SYN_ACK)
    state_ = Undecided(identity, handshake, now_ns, connect_timeout_ns);
  else if (HasFin(slot)) state_ = State::kClosing;
  else state_ = handshake == HANDSHAKE_DONE ? State::kEstablished : State::kMidstream;

  if (state_ == State::kRefused) Fail(Failure::kRefused, news);
  if (state_ == State::kResetEarly) Fail(Failure::kReset, news);
  if (state_ == State::kTimeout) Fail(Failure::kTimeout, news);
  if (state_ == State::kUnreachable) Fail(Failure::kUnreachable, news);
  if (state_ == State::kClosed) Close(Closed::kFin, news);
  if (state_ == State::kResetByLocal) Close(Closed::kResetByLocal, news);
  if (state_ == State::kResetByRemote) Close(Closed::kResetByRemote, news);
  return news;
}

News Connection::LookAtRequest(const flow_slot& slot, const flow_identity& identity) {
  News news;
  if (IsUnanswered(slot) && ReadOnce(identity.unreachable)) Fail(Failure::kUnreachable, news);
  return news;
}

News Connection::Leave(const flow_slot& slot) {
  News news;
  if (state_ == State::kConnecting) {
    state_ = State::kTimeout;
    Fail(Failure::kTimeout, news);
  }
  if (state_ == State::kNone && !(failed() && IsUnanswered(slot))) Close(Closed::kIdle, news);
  return news;
}

int64_t Connection::EndedNs(const flow_identity& identity, int64_t now_ns, int64_t connect_timeout_ns) const {
  switch (state_) {
    case State::kTimeout:
      return std::min(now_ns, TimeOf(identity.last_syn_ns, now_ns) + connect_timeout_ns);
    case State::kUnreachable:
      return TimeOf(identity.unreachable_ns, now_ns);
    case State::kClosed:
    case State::kResetByLocal:
    case State::kResetByRemote:
    case State::kRefused:
    case State::kResetEarly:
      return TimeOf(identity.ended_ns, now_ns);
    default:
      return 0;
  }
}

void Connection::Fail(Failure failure, News& news) {
  if (told_ & kToldFailed) return;
  told_ |= kToldFailed;
  news.failed = failure;
}

void Connection::Close(Closed closed, News& news) {
  if (told_ & kToldClosed) return;
  told_ |= kToldClosed;
  news.closed = closed;
}

}  // namespace podweir
