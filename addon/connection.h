// What a slot says of its connection: its state, and what of that has not been told yet.
#ifndef PODWEIR_CONNECTION_H
#define PODWEIR_CONNECTION_H

#include <cstdint>

#include "flow.h"

namespace podweir {

// Numbers of lib/capture/flow-batch.ts.
enum class State : uint8_t {
  kNone,
  kConnecting,
  kEstablished,
  kMidstream,
  kClosing,
  kClosed,
  kResetByLocal,
  kResetByRemote,
  kRefused,
  kTimeout,
  kUnreachable,
  kResetEarly,
};
enum class Failure : uint8_t { kNone, kRefused, kTimeout, kUnreachable, kReset };
enum class Closed : uint8_t { kNone, kFin, kResetByLocal, kResetByRemote, kIdle };

struct News {
  bool opened = false;
  Failure failed = Failure::kNone;
  Closed closed = Closed::kNone;

  bool any() const { return opened || failed != Failure::kNone || closed != Closed::kNone; }
};

// Each of opened, failed and closed is told at most once; only an attempt that failed may still be opened.
class Connection {
 public:
  // A TCP connection, now. An end that was read once stays: two CPUs may write one at the same time.
  News Look(const flow_slot& slot, const flow_identity& identity, int64_t now_ns, int64_t connect_timeout_ns);
  // A request without answer that somebody refused to carry.
  News LookAtRequest(const flow_slot& slot, const flow_identity& identity);
  // The slot is given back for lack of packets, or because another connection took the addresses and ports.
  News Leave(const flow_slot& slot);

  // What was told, for another process to go on with.
  struct Memory {
    uint8_t state, end, told;
  };
  Memory memory() const { return {static_cast<uint8_t>(state_), end_, told_}; }
  void Recall(const Memory& memory) {
    state_ = static_cast<State>(memory.state);
    end_ = memory.end;
    told_ = memory.told;
  }

  State state() const { return state_; }
  bool failed() const { return told_ & kToldFailed; }
  // When the state's end came about, CLOCK_MONOTONIC, 0: it has none.
  int64_t EndedNs(const flow_identity& identity, int64_t now_ns, int64_t connect_timeout_ns) const;

 private:
  enum Told : uint8_t { kToldOpened = 1, kToldFailed = 2, kToldClosed = 4 };

  void Fail(Failure failure, News& news);
  void Close(Closed closed, News& news);

  State state_ = State::kNone;
  uint8_t end_ = END_NONE;
  uint8_t told_ = 0;
};

// How far the handshake has come, whoever began it.
uint8_t HandshakeOf(const flow_slot& slot);

// One side has not sent anything.
bool IsUnanswered(const flow_slot& slot);

}  // namespace podweir

#endif
