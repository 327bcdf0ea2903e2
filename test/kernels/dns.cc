// Whether the module "dns" tells what comes from port 53, and leaves it to be counted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "checks.h"
#include "dns_tap.h"
#include "kernel_state.h"

namespace podweir {
namespace {

constexpr char kFact[] = "tells what DNS answers, whole and once, and counts it";
constexpr uint16_t kClosedPort = 9;
constexpr uint64_t kDatagrams = 100;
constexpr char kPayload[] = "neither an answer nor a query";

Status SendFromPort(uint16_t port, const std::string& address) {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in from{}, to{};
  from.sin_family = to.sin_family = AF_INET;
  from.sin_port = htons(port);
  to.sin_port = htons(kClosedPort);
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from)))
    return Failed("bind", std::to_string(port), errno);
  for (uint64_t i = 0; i < kDatagrams; i++)
    if (sendto(socket.get(), kPayload, sizeof(kPayload), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) < 0)
      return Failed("send to", address, errno);
  return Status{};
}

bool IsWhole(const DnsRows& rows) {
  for (size_t i = 0; i < rows.size(); i++) {
    uint32_t begin = i ? rows.end[i - 1] : 0;
    if (rows.from_pod[i] || rows.cut[i] || rows.end[i] - begin != sizeof(kPayload) ||
        memcmp(&rows.bytes[begin], kPayload, sizeof(kPayload)))
      return false;
  }
  return true;
}

}  // namespace

void CheckDns(Report& report, Wires& wires, int wire_number) {
  Status dns;
  auto open_tap = [&dns](const DispatcherMaps& maps, NamespaceThread& loading) {
    return OpenDnsTap(maps, loading, dns);
  };
  Result<std::unique_ptr<Probe>> probe = Probe::Load({.flow_limit = 1024, .open_tap = open_tap});
  if (!probe.ok()) return report.NotOk(kFact, Words(probe.status));
  if (!dns.ok()) return report.NotOk(kFact, Words(dns));
  Result<Wire> wire = wires.Make(wire_number);
  Status status = wire.ok() ? wires.Raise(*wire) : wire.status;
  if (!status.ok()) return report.NotOk(kFact, Words(status));
  wires.Silence(*wire);
  Result<AttachmentInfo> attached = (*probe)->Attach({wire->netns, "eth0"});
  if (!attached.ok()) return report.NotOk(kFact, Words(attached.status));
  for (uint16_t port : {uint16_t{DNS_PORT}, uint16_t{DNS_PORT + 1}}) {
    status = SendFromPort(port, wire->pod4);
    if (!status.ok()) return report.NotOk(kFact, Words(status));
  }
  auto seen = [&] { return (*probe)->Totals(attached->slot).direction[TO_POD].seen_packets; };
  bool all = Becomes([&] { return seen() >= 2 * kDatagrams; });
  Result<DnsReading> reading = ReadDnsTap((*probe)->tap());
  uint64_t told = reading.ok() ? reading->rows.size() : 0;
  report.Check(kFact, all && told == kDatagrams && IsWhole(reading->rows) && !reading->lost,
               std::to_string(told) + " told, " + std::to_string(seen()) + " counted, " +
                   std::to_string((*probe)->Faults().tail_call_failed) + " failed");
}

}  // namespace podweir
