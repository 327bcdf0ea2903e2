// Real TCP through a veth pair that is attached in one of the possible ways, against what the kernel itself counted.
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>

#include "account.h"
#include "checks.h"
#include "kernel_state.h"
#include "transfer.h"

namespace podweir {
namespace {

constexpr uint64_t kPayloadBytes = 4 << 20;
constexpr useconds_t kQuietUs = 100'000;
// Ethernet, IP, TCP with its timestamps; a SYN has eight bytes of options more.
constexpr uint64_t kHeaderBytes4 = 14 + 20 + 32, kHeaderBytes6 = 14 + 40 + 32, kSynExtraBytes = 8;

// What the senders' own kernel says, at a moment when nothing moves.
struct Truth {
  uint64_t payload4_from_pod = 0, payload6_to_pod = 0;
  uint64_t tcp_packets[DIRECTIONS] = {};
  uint64_t device[DIRECTIONS] = {};  // the pod's end, since it exists
};

class HookCheck {
 public:
  HookCheck(Guest& guest, Hook hook, Place place)
      : guest_(guest), hook_(hook), place_(place), name_(hook == Hook::kTcx ? "tcx" : "clsact") {
    name_ += place == Place::kPod ? " at the pod's end" : " at the host's end";
  }

  void Run(int wire_number);

 private:
  std::string Fact(const char* what) const { return name_ + " " + what; }
  Status Send(const Wire& wire, Truth& truth);
  KernelCounts Pod(const Wire& wire) { return guest_.wires.Count(wire.netns, "eth0"); }
  KernelCounts Host(const Wire& wire) { return guest_.wires.Count("", wire.host); }
  Status RaiseAndWait(const Wire& wire);
  void DrainWhenQuiet(const Wire& wire, Drain& drain, Truth& truth);
  void Compare(const Truth& truth);
  void CheckTraces(const Wire& wire);
  Count Tcp(flow_direction direction, uint8_t family) { return account_.Flows(slot_, direction, IPPROTO_TCP, family); }

  Guest& guest_;
  const Hook hook_;
  const Place place_;
  std::string name_;
  uint16_t slot_ = 0;
  KernelCounts pod_before_, host_before_;
  Account account_;
};

std::string Both(uint64_t ours, uint64_t theirs) {
  return std::to_string(ours) + " of ours, " + std::to_string(theirs) + " of the kernel's; ";
}

// The pod sends over IPv4 and gets over IPv6.
Status HookCheck::Send(const Wire& wire, Truth& truth) {
  NamespaceThread& namespaces = guest_.wires.namespaces();
  Result<Transferred> out = Transfer(namespaces, {wire.netns, "", wire.host4, kPayloadBytes});
  if (!out.ok()) return out.status;
  Result<Transferred> in = Transfer(namespaces, {"", wire.netns, wire.pod6, kPayloadBytes});
  if (!in.ok()) return in.status;
  if (out->received != kPayloadBytes || in->received != kPayloadBytes) return Failed("transfer", wire.host, EIO);
  truth.payload4_from_pod = out->sent;
  truth.payload6_to_pod = in->sent;
  return Status{};
}

// What is sent while the carrier comes is seen at a hook and then dropped: attaching waits until that is over.
Status HookCheck::RaiseAndWait(const Wire& wire) {
  Status status = guest_.wires.Raise(wire);
  Becomes([&] {
    pod_before_ = Pod(wire);
    host_before_ = Host(wire);
    usleep(kQuietUs);
    return pod_before_ == Pod(wire) && host_before_ == Host(wire);
  });
  return status;
}

// The last packets of a connection come after its sockets were closed.
void HookCheck::DrainWhenQuiet(const Wire& wire, Drain& drain, Truth& truth) {
  Becomes([&] {
    KernelCounts pod = Pod(wire), host = Host(wire);
    usleep(kQuietUs);
    account_.Add(drain.Run());
    truth.tcp_packets[FROM_POD] = pod.tcp_sent - pod_before_.tcp_sent;
    truth.tcp_packets[TO_POD] = host.tcp_sent - host_before_.tcp_sent;
    truth.device[FROM_POD] = pod.transmitted;
    truth.device[TO_POD] = pod.received;
    return pod == Pod(wire) && host == Host(wire);
  });
}

void HookCheck::Compare(const Truth& truth) {
  const InterfaceAccount& interface = account_.Of(slot_);
  bool packets = true, bytes = true, one_place = true, device = true;
  std::string packets_why, bytes_why, one_place_why, device_why;
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    bool from_pod = direction == FROM_POD;
    uint64_t tcp = Tcp(direction, 4).packets + Tcp(direction, 6).packets;
    packets &= tcp == truth.tcp_packets[direction];
    packets_why += Both(tcp, truth.tcp_packets[direction]);
    // What is left when the other connection's acknowledgements, one to a buffer, are taken off.
    uint64_t bulk_packets = truth.tcp_packets[direction] - Tcp(direction, from_pod ? 6 : 4).packets;
    uint64_t bulk_bytes = Tcp(direction, from_pod ? 4 : 6).bytes;
    uint64_t on_wire = (from_pod ? truth.payload4_from_pod + bulk_packets * kHeaderBytes4
                                 : truth.payload6_to_pod + bulk_packets * kHeaderBytes6) +
                       kSynExtraBytes;
    bytes &= bulk_bytes == on_wire;
    bytes_why += Both(bulk_bytes, on_wire);
    Count places = account_.Flows(slot_, direction);
    for (const Count* rest : {interface.other, interface.overflow, interface.filtered}) places += rest[direction];
    one_place &= places == interface.seen[direction];
    one_place_why += std::to_string(places.packets) + " packets in a place, " +
                     std::to_string(interface.seen[direction].packets) + " seen; ";
    uint64_t unseen = from_pod ? pod_before_.transmitted : pod_before_.received;
    device &= interface.skbs[direction] == truth.device[direction] - unseen;
    device &= interface.device[direction] == truth.device[direction];
    device_why += Both(interface.skbs[direction], truth.device[direction] - unseen) + "read as " +
                  Both(interface.device[direction], truth.device[direction]);
  }
  guest_.report.Check(Fact("counts every packet of TCP"), packets, packets_why);
  guest_.report.Check(Fact("counts every byte of TCP"), bytes, bytes_why);
  guest_.report.Check(Fact("puts every packet into one place"), one_place, one_place_why);
  guest_.report.Check(Fact("sees what the device counts"), device, device_why);
}

void HookCheck::CheckTraces(const Wire& wire) {
  bool pod = place_ == Place::kPod;
  Hooked hooked;
  BpfObjects objects;
  // At the host's end an empty clsact stays: a CNI may be about to use it.
  bool gone = Becomes([&] {
    hooked = WhatIsHooked(guest_.wires.namespaces(), pod ? wire.netns : "", pod ? "eth0" : wire.host);
    objects = CountBpfObjects();
    return !hooked.filters && !hooked.tcx_programs && (!pod || hooked.qdisc.empty()) && !objects.dispatchers;
  });
  guest_.report.Check(Fact("goes without a trace"), gone,
                      hooked.qdisc + " with " + std::to_string(hooked.filters) + " filters, " +
                          std::to_string(hooked.tcx_programs) + " tcx programs, " +
                          std::to_string(objects.dispatchers) + " dispatchers");
}

void HookCheck::Run(int wire_number) {
  const char* all[] = {"hooks both directions",       "counts every packet of TCP",       "counts every byte of TCP",
                       "sees what the device counts", "puts every packet into one place", "goes without a trace"};
  if (hook_ == Hook::kTcx && !guest_.has_tcx) {
    for (const char* fact : all) guest_.report.Skip(Fact(fact), "tcx comes with Linux 6.6");
    return;
  }
  Result<Wire> wire = guest_.wires.Make(wire_number);
  if (!wire.ok()) return guest_.report.NotOk(Fact(all[0]), Words(wire.status));
  Status status = RaiseAndWait(*wire);
  if (!status.ok()) return guest_.report.NotOk(Fact(all[0]), Words(status));
  Drain drain(*guest_.probe, NothingRetires());
  bool pod = place_ == Place::kPod;
  Result<AttachmentInfo> attached =
      guest_.probe->Attach({pod ? wire->netns : "", pod ? "eth0" : wire->host, place_, hook_});
  if (!attached.ok()) return guest_.report.NotOk(Fact(all[0]), Words(attached.status));
  Hooked hooked = WhatIsHooked(guest_.wires.namespaces(), pod ? wire->netns : "", attached->device);
  guest_.report.Check(
      Fact(all[0]), (hook_ == Hook::kTcx ? hooked.tcx_programs : hooked.filters) == DIRECTIONS,
      std::to_string(hooked.tcx_programs) + " tcx programs, " + std::to_string(hooked.filters) + " filters");
  slot_ = static_cast<uint16_t>(attached->slot);
  Truth truth;
  status = Send(*wire, truth);
  if (!status.ok()) return guest_.report.NotOk(Fact(all[1]), Words(status));
  DrainWhenQuiet(*wire, drain, truth);
  Compare(truth);
  guest_.probe->Detach(attached->slot);
  drain.Run();
  CheckTraces(*wire);
}

}  // namespace

void CheckHook(Guest& guest, Hook hook, Place place, int wire_number) {
  HookCheck(guest, hook, place).Run(wire_number);
}

}  // namespace podweir
