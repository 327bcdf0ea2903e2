// The flow table at its end and at a flow's end, on flows that were never on a device.
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <netinet/in.h>

#include "account.h"
#include "checks.h"
#include "test_run.h"

namespace podweir {
namespace {

constexpr uint32_t kTooMany = 500;  // flows more than there are slots

// UDP over IPv4 without payload; what is 0 does not matter.
std::vector<uint8_t> Packet() {
  std::vector<uint8_t> packet(ETH_HLEN + sizeof(iphdr) + 8);
  packet[12] = ETH_P_IP >> 8;
  packet[ETH_HLEN] = 0x45;
  packet[ETH_HLEN + 3] = sizeof(iphdr) + 8;
  packet[ETH_HLEN + 9] = IPPROTO_UDP;
  packet[ETH_HLEN + 25] = 8;
  return packet;
}

std::string Text(const Count& count) {
  return std::to_string(count.packets) + " packets of " + std::to_string(count.bytes) + " bytes";
}

}  // namespace

void CheckTable(Guest& guest, int wire_number) {
  constexpr char kOverflow[] = "counts packets without a slot as overflow";
  constexpr char kRetire[] = "gives the slots of flows that ended to others";
  Result<Wire> wire = guest.wires.Make(wire_number);
  if (!wire.ok()) return guest.report.NotOk(kOverflow, Words(wire.status));
  Result<AttachmentInfo> attached = guest.probe->Attach({wire->netns, "eth0"});
  if (!attached.ok()) return guest.report.NotOk(kOverflow, Words(attached.status));
  uint16_t slot = static_cast<uint16_t>(attached->slot);
  int program = guest.probe->interfaces()[slot].attachment->program(FROM_POD);
  std::vector<uint8_t> packet = Packet();
  const uint32_t limit = guest.probe->flow_limit();
  // Every drain ends every flow.
  Drain drain(*guest.probe, RetireAfter(0));
  Account account;
  Status status = FillFlows(program, packet, limit + kTooMany, 1);
  if (!status.ok()) return guest.report.NotOk(kOverflow, Words(status));
  account.Add(drain.Run());
  Count overflow = account.Of(slot).overflow[FROM_POD], flows = account.Flows(slot, FROM_POD);
  const uint32_t sent = limit + kTooMany;
  Count all = overflow;
  all += flows;
  // One interface gets four fifths of the slots, and of those for collapsed flows.
  guest.report.Check(
      kOverflow, all == Count{sent, sent * packet.size()} && overflow.packets && account.flows() > limit * 4 / 5,
      Text(overflow) + " in overflow, " + Text(flows) + " in " + std::to_string(account.flows()) + " flows");
  status = FillFlows(program, packet, limit, limit + kTooMany);
  DrainResult second = drain.Run();
  account.Add(second);
  Count twice = account.Flows(slot, FROM_POD);
  twice += account.Of(slot).overflow[FROM_POD];
  const uint32_t both = sent + limit;
  guest.report.Check(kRetire,
                     status.ok() && twice == Count{both, both * packet.size()} && !second.live_flows &&
                         account.Flows(slot, FROM_POD).packets > flows.packets + limit * 4 / 5,
                     Text(account.Flows(slot, FROM_POD)) + " in flows, " + std::to_string(second.live_flows) + " live");
  guest.probe->Detach(slot);
  drain.Run();
}

}  // namespace podweir
