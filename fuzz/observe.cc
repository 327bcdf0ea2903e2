// A sequence of packets, whatever their bytes, through the kernel programs: each is counted in exactly one place, also
// when another CPU or user space comes in between, and no slot is lost.
#include "demand.h"
#include "flow.h"
#include "headers.bpf.h"
#include "kernel.h"
#include "player.h"
#include "table.h"

namespace podweir {
namespace {

constexpr uint32_t kMostFlows = 8, kCollapsed = 2;
constexpr uint32_t kInterfaces[] = {1, INTERFACE_SLOTS - 1};

uint32_t InterfaceOf(const record& record) { return kInterfaces[!!(record.header.flags & RECORD_OTHER_INTERFACE)]; }

// Nothing else was counted meanwhile.
void CheckOnePlace(const Books& before, const Books& after) {
  Count seen = after.seen - before.seen;
  int places = 0, classes = 0;
  for (Count Books::*place : {&Books::in_slots, &Books::other, &Books::overflow, &Books::filtered}) {
    if (after.*place == before.*place) continue;
    demand(after.*place - before.*place == seen, "a packet is counted whole");
    places++;
  }
  demand(places == 1, "a packet is counted in one place");
  for (int i = 0; i < PACKET_CLASSES; i++) {
    if (after.classes[i] == before.classes[i]) continue;
    demand(after.classes[i] - before.classes[i] == seen, "a packet is in its class whole");
    demand((i < FIRST_FLOW_CLASS) == (after.other != before.other), "what is in no flow is in a class of that");
    classes++;
  }
  demand(classes <= 1, "a packet is in one class");
  demand(!after.classes[CLASS_FLOW].packets, "ordinary packets are not counted by class");
}

void CheckBooks(const Books& books) {
  demand(books.seen == books.kept(), "seen = slots + other + overflow + filtered");
  Count other;
  for (int i = 0; i < FIRST_FLOW_CLASS; i++) other += books.classes[i];
  demand(books.other == other, "other = the sum of its classes");
}

class Observation {
 public:
  Observation(uint32_t flows, const uint8_t* data, size_t size)
      : table_(flows, kCollapsed), player_(data, size, [this](const record& record) { Play(record); }) {
    table_.Load();
  }

  void Run() {
    while (player_.Next()) continue;
  }

 private:
  void Play(const record& record) {
    uint8_t flags = record.header.flags, number = record.header.linear_bytes;
    if (flags & RECORD_RETIRE) return table_.BeginRetiring(number);
    if (flags & RECORD_SET_DETAIL) return static_cast<void>(tcp_detail = number);
    // Not while a program runs: user space waits for it.
    if (flags & RECORD_FREE_RETIRED) return player_.is_interrupting() ? void() : table_.FreeRetired();
    if (player_.is_interrupting()) return static_cast<void>(player_.Send(record, InterfaceOf(record)));
    Observe(record);
  }

  void Observe(const record& record) {
    const __sk_buff* skb = nullptr;
    Books before = table_.BooksOf(InterfaceOf(record), DirectionOf(record));
    player_.Interrupted(record, [&] { skb = player_.Send(record, InterfaceOf(record)); });
    Books after = table_.BooksOf(InterfaceOf(record), DirectionOf(record));
    demand((after.seen - before.seen).packets >= 1, "each skb is seen");
    // But for the header of BIG TCP, which segmenting takes off.
    uint32_t unsent = skb->gso_size ? JUMBO_HEADER_BYTES : 0;
    demand((after.seen - before.seen).bytes + unsent >= skb->len, "an skb is seen with all its bytes");
    if (InterruptionOf(record) != INTERRUPTION_NEXT_RECORD) CheckOnePlace(before, after);
    for (uint32_t interface : kInterfaces)
      for (flow_direction direction : {FROM_POD, TO_POD}) CheckBooks(table_.BooksOf(interface, direction));
    table_.Check(player_.disturbed());
  }

  Table table_;
  Player player_;
};

}  // namespace
}  // namespace podweir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  podweir::machine = podweir::Machine{};
  podweir::Observation(1 + data[0] % podweir::kMostFlows, data + 1, size - 1).Run();
  return 0;
}
