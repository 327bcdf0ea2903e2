// An agent that pins is killed, packets go on, and another one goes on; and namespaces that come and go.
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"
#include "checks.h"
#include "kernel_state.h"
#include "transfer.h"

namespace podweir {
namespace {

constexpr char kPins[] = "/sys/fs/bpf/podweir";
constexpr uint64_t kPayloadBytes = 1 << 20;
constexpr int kChurn = 20;
constexpr uint64_t kChurnBytes = 4096;

ProbeOptions Pinned() { return {.flow_limit = 1024, .pins = kPins}; }

// Attaches, drains once and is gone without a word.
bool LiveShortly(const Wire& wire) {
  pid_t agent = fork();
  if (!agent) {
    Result<std::unique_ptr<Probe>> probe = Probe::Load(Pinned());
    if (!probe.ok() || !(*probe)->Attach({wire.netns, "eth0"}).ok()) _exit(1);
    Drain(**probe, NothingRetires()).Run();
    _exit(0);
  }
  int status = 0;
  waitpid(agent, &status, 0);
  return WIFEXITED(status) && !WEXITSTATUS(status);
}

std::string Compared(uint64_t ours, uint64_t theirs) {
  return std::to_string(ours) + " of ours, " + std::to_string(theirs) + " of the device's; ";
}

}  // namespace

void CheckRestart(Report& report, Wires& wires, int wire_number) {
  constexpr char kGoesOn[] = "goes on from the pins of an agent that was killed, with every packet meanwhile";
  constexpr char kLeaves[] = "leaves no pin when it ends";
  Result<Wire> wire = wires.Make(wire_number);
  Status raised = wire.ok() ? wires.Raise(*wire) : wire.status;
  if (!raised.ok()) return report.NotOk(kGoesOn, Words(raised));
  // From here on nothing is said but what is sent below.
  wires.Silence(*wire);
  const KernelCounts before = wires.Count(wire->netns, "eth0");
  if (!LiveShortly(*wire)) return report.NotOk(kGoesOn, "the first agent did not live");
  Result<Transferred> sent = Transfer(wires.namespaces(), {wire->netns, "", wire->host4, kPayloadBytes});
  if (!sent.ok()) return report.NotOk(kGoesOn, Words(sent.status));
  Result<std::unique_ptr<Probe>> probe = Probe::Load(Pinned());
  if (!probe.ok()) return report.NotOk(kGoesOn, Words(probe.status));
  auto drain = std::make_unique<Drain>(**probe, NothingRetires());
  Result<AttachmentInfo> attached = (*probe)->Attach({wire->netns, "eth0"});
  if (!attached.ok()) return report.NotOk(kGoesOn, Words(attached.status));
  auto slot = static_cast<uint16_t>(attached->slot);
  Account account;
  bool equal = Becomes([&] {
    account.Add(drain->Run());
    KernelCounts counts = wires.Count(wire->netns, "eth0");
    const InterfaceAccount& interface = account.Of(slot);
    return interface.skbs[FROM_POD] == counts.transmitted - before.transmitted &&
           interface.skbs[TO_POD] == counts.received - before.received &&
           account.Flows(slot, FROM_POD, IPPROTO_TCP, 4).bytes > kPayloadBytes;
  });
  KernelCounts counts = wires.Count(wire->netns, "eth0");
  const InterfaceAccount& interface = account.Of(slot);
  report.Check(kGoesOn, attached->adopted && equal,
               std::string(attached->adopted ? "" : "not adopted; ") +
                   Compared(interface.skbs[FROM_POD], counts.transmitted - before.transmitted) +
                   Compared(interface.skbs[TO_POD], counts.received - before.received));
  drain.reset();
  probe.value.reset();
  struct stat info;
  report.Check(kLeaves, stat(kPins, &info) != 0, std::string(kPins) + " is there");
}

void CheckChurn(Guest& guest, int first_wire) {
  constexpr char kChurns[] = "attaches to 20 namespaces that come and go, and counts each to its end";
  BpfObjects before = CountBpfObjects();
  Drain drain(*guest.probe, RetireAfter(0));
  std::string why;
  for (int i = 0; i < kChurn; i++) {
    Result<Wire> wire = guest.wires.Make(first_wire + i);
    Status status = wire.ok() ? guest.wires.Raise(*wire) : wire.status;
    if (!status.ok()) return guest.report.NotOk(kChurns, Words(status));
    Result<AttachmentInfo> attached = guest.probe->Attach({wire->netns, "eth0"});
    if (!attached.ok()) return guest.report.NotOk(kChurns, Words(attached.status));
    auto slot = static_cast<uint16_t>(attached->slot);
    KernelCounts from = guest.wires.Count(wire->netns, "eth0");
    Result<Transferred> sent = Transfer(guest.wires.namespaces(), {wire->netns, "", wire->host4, kChurnBytes});
    if (!sent.ok()) return guest.report.NotOk(kChurns, Words(sent.status));
    Account account;
    KernelCounts to;
    bool equal = Becomes([&] {
      to = guest.wires.Count(wire->netns, "eth0");
      account.Add(drain.Run());
      return account.Flows(slot, FROM_POD, IPPROTO_TCP, 4).packets == to.tcp_sent - from.tcp_sent;
    });
    if (!equal)
      why += wire->netns + ": " + std::to_string(account.Flows(slot, FROM_POD, IPPROTO_TCP, 4).packets) + " of " +
             std::to_string(to.tcp_sent - from.tcp_sent) + " packets; ";
    guest.wires.Remove(*wire);
    bool ended = Becomes([&] {
      account.Add(drain.Run());
      // What an agent does when a row says that its device is gone.
      if (!account.Of(slot).ended) guest.probe->Detach(slot);
      return account.Of(slot).ended;
    });
    if (!ended) why += wire->netns + " never ended; ";
  }
  bool freed = Becomes([&] { return CountBpfObjects() == before; });
  guest.report.Check(kChurns, why.empty() && freed, why + (freed ? "" : "BPF objects are left"));
}

}  // namespace podweir
