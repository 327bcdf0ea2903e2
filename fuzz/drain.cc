// Packets through the kernel programs and drains of the addon between them, whatever their order: every packet that was
// seen is in a batch once, and every slot comes back. Or drains of slots with any bytes in them, which do no harm.
#include "demand.h"
#include "device.h"
#include "drain.h"
#include "kernel.h"
#include "player.h"
#include "probe.h"
#include "receiver.h"
#include "table.h"

namespace podweir {
namespace {

constexpr uint32_t kMostFlows = 8;
constexpr uint64_t kBeginNs = 1'000'000'000'000;

// As the agent has them.
constexpr DrainOptions kOptions{{.closed_ms = 5'000,
                                 .failed_ms = 5'000,
                                 .half_open_ms = 30'000,
                                 .datagram_ms = 15'000,
                                 .idle_ms = 60'000,
                                 .abandoned_ms = 7'200'000,
                                 .connect_timeout_ms = 10'000},
                                1};

std::unique_ptr<Probe> LoadProbe(uint32_t flow_limit) {
  auto probe = Probe::Load({.flow_limit = flow_limit});
  demand(probe.ok(), "a probe is loaded");
  return std::move(*probe);
}

class Session {
 public:
  Session(uint32_t flow_limit, const uint8_t* data, size_t size)
      : probe_(LoadProbe(flow_limit)),
        drain_(*probe_, kOptions),
        table_(flow_limit, probe_->slot_count() - flow_limit),
        player_(data, size, [this](const record& record) { Play(record); }) {
    for (uint32_t& slot : interfaces_) slot = Attach();
  }

  void Run() {
    while (player_.Next()) continue;
    if (hostile_) return;
    for (uint32_t slot : interfaces_) probe_->Detach(slot);
    Drain(true);
    Drain(true);
    demand(probe_->SlotsInUse() == 0, "every slot comes back");
  }

 private:
  uint32_t Attach() {
    auto attached = probe_->Attach({.device = kDevice, .hook = Hook::kTcx});
    demand(attached.ok(), "a device is attached");
    return attached->slot;
  }

  void Play(const record& record) {
    uint8_t flags = record.header.flags, number = record.header.linear_bytes;
    if (flags & RECORD_OVERWRITE) return Overwrite(record);
    if (flags & RECORD_SET_DETAIL) return probe_->SetTcpDetail(number & 1);
    if (flags & RECORD_RETIRE) return Replace(interfaces_[number & 1]);
    if (flags & RECORD_FREE_RETIRED) return PlayDrain(record);
    player_.Interrupted(record, [&] { player_.Send(record, interfaces_[!!(flags & RECORD_OTHER_INTERFACE)]); });
    if (!player_.is_interrupting() && !hostile_) table_.Check(player_.disturbed());
  }

  // The device is gone and there is another one. Not in the middle of a drain, which the real one would wait for.
  void Replace(uint32_t& interface_slot) {
    if (draining_) return;
    demand(probe_->Detach(interface_slot).ok(), "an attached interface is detached");
    interface_slot = Attach();
    ending_ = true;
  }

  // In the middle of a program a drain waits in vain and leaves the rest to the next one. That is no answer to a device
  // that is gone: the kernel's wait does end.
  void PlayDrain(const record& record) {
    if (draining_ || (machine.program_runs && ending_)) return;
    draining_ = true;
    bool quiet = !machine.program_runs && InterruptionOf(record) == INTERRUPTION_NONE;
    player_.Interrupted(record, [&] { Drain(quiet); });
    draining_ = false;
    if (!player_.is_interrupting() && !hostile_) table_.Check(player_.disturbed());
  }

  void Drain(bool quiet) {
    DrainResult batch = drain_.Run();
    ending_ = false;
    if (hostile_) Receiver::CheckColumns(batch);
    else receiver_.Take(batch, quiet);
  }

  // Any bytes in the memory that both sides write.
  void Overwrite(const record& record) {
    bool details = record.header.flags & RECORD_TO_POD;
    auto* memory =
        details ? reinterpret_cast<uint8_t*>(probe_->details()) : reinterpret_cast<uint8_t*>(probe_->slots());
    size_t bytes = probe_->slot_count() * (details ? sizeof(flow_details) : sizeof(flow_slot));
    size_t offset = size_t{record.header.zeros} % bytes;
    memcpy(memory + offset, record.bytes, std::min<size_t>(record.header.given_bytes, bytes - offset));
    hostile_ = true;
  }

  std::unique_ptr<Probe> probe_;
  podweir::Drain drain_;
  Table table_;
  Player player_;
  Receiver receiver_;
  uint32_t interfaces_[2];
  bool hostile_ = false, draining_ = false, ending_ = false;
};

}  // namespace
}  // namespace podweir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  podweir::machine = podweir::Machine{.now_ns = podweir::kBeginNs};
  podweir::Session(1 + data[0] % podweir::kMostFlows, data + 1, size - 1).Run();
  return 0;
}
