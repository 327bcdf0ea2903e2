// Whether packets that the kernel drops are counted by its reason, where it has one, and refused in words where not.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>

#include "checks.h"
#include "drops.h"
#include "kernel_state.h"

namespace podweir {
namespace {

constexpr char kFact[] = "counts what it drops by its reason";
constexpr uint16_t kClosedPort = 9;
constexpr uint64_t kDatagrams = 100;

Status SendDatagrams(const std::string& address) {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kClosedPort);
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  for (uint64_t i = 0; i < kDatagrams; i++)
    if (sendto(socket.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 1)
      return Failed("send to", address, errno);
  return Status{};
}

uint64_t CountOf(Drops& drops, uint32_t watch, const std::string& reason) {
  Result<DropReading> reading = drops.Read();
  uint64_t packets = 0;
  if (reading.ok())
    for (const DropCount& count : reading->counts)
      if (count.watch == watch && count.reason == reason) packets += count.packets;
  return packets;
}

void Count(Report& report, Wires& wires, Drops& drops, int wire_number) {
  Result<Wire> wire = wires.Make(wire_number);
  Status status = wire.ok() ? wires.Raise(*wire) : wire.status;
  if (!status.ok()) return report.NotOk(kFact, Words(status));
  Result<uint32_t> watch = drops.Watch({wire->netns, "eth0", Place::kPod});
  if (!watch.ok()) return report.NotOk(kFact, Words(watch.status));
  status = SendDatagrams(wire->pod4);
  if (!status.ok()) return report.NotOk(kFact, Words(status));
  uint64_t counted = 0;
  bool all = Becomes([&] { return (counted = CountOf(drops, *watch, "no_socket")) >= kDatagrams; });
  report.Check(kFact, all && counted == kDatagrams, std::to_string(counted) + " of " + std::to_string(kDatagrams));
}

}  // namespace

void CheckDrops(Report& report, Wires& wires, bool has_reasons, int wire_number) {
  Result<std::unique_ptr<Drops>> drops = Drops::Load(false);
  if (drops.ok()) return Count(report, wires, **drops, wire_number);
  if (!has_reasons && drops.status.error == EOPNOTSUPP) return report.Skip(kFact, drops.status.detail);
  report.NotOk(kFact, Words(drops.status));
}

}  // namespace podweir
