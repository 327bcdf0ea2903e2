// The packets of the corpus, each put before the programs and looked for where it must be counted: by the kernel's test
// run, and over a real veth pair, where buffers are non-linear and VLAN tags leave the packet.
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <map>

#include "account.h"
#include "checks.h"
#include "corpus_file.h"
#include "kernel_state.h"
#include "raw_socket.h"
#include "test_run.h"

namespace podweir {
namespace {

constexpr size_t kShownFailures = 5, kMostFailures = 10;  // of a fact; the rest is not tried
constexpr int kTries = 200, kTriesForClass = 3;
constexpr useconds_t kPauseUs = 2'000, kQuietUs = 300'000;

// What became of a packet on its way to the programs: empty, why not, or that this kernel takes no such packet.
struct Done {
  std::string problem;
  bool refused = false;
};
using Put = std::function<Done(const CorpusPacket&)>;

struct Tally {
  size_t packets = 0, refused = 0;
  std::vector<std::string> failures;
};

// What one packet moved.
struct Moved {
  std::map<std::pair<uint32_t, uint32_t>, Count> flows;
  Count seen, other, in_flows;
  Count classes[PACKET_CLASSES];
};

Count operator-(const Count& a, const Count& b) { return {a.packets - b.packets, a.bytes - b.bytes}; }

std::string Text(const Count& count) {
  return std::to_string(count.packets) + " packets of " + std::to_string(count.bytes) + " bytes";
}

void Tell(Report& report, const std::string& fact, const Tally& tally) {
  std::string why = std::to_string(tally.failures.size()) + " of the first " + std::to_string(tally.packets) +
                    " are not, " + std::to_string(tally.refused) + " refused";
  for (size_t i = 0; i < tally.failures.size() && i < kShownFailures; i++) why += "; " + tally.failures[i];
  report.Check(fact, tally.failures.empty() && tally.packets > tally.refused, why);
  report.Figure("packets:" + fact, std::to_string(tally.packets));
  report.Figure("refused:" + fact, std::to_string(tally.refused));
}

class CorpusCheck {
 public:
  CorpusCheck(Probe& probe, uint16_t slot) : probe_(probe), slot_(slot), drain_(probe, NothingRetires()) {}

  void Run(Report& report, const Corpus& corpus, CorpusWay way, const Put& put);
  // Until nothing else moves.
  void WaitForQuiet();
  void End() {
    probe_.Detach(slot_);
    drain_.Run();
  }

 private:
  std::string Problem(const CorpusPacket& packet);
  Moved Collect(const CorpusRecord& expected);

  Probe& probe_;
  const uint16_t slot_;
  Drain drain_;
  Account account_;
};

void CorpusCheck::WaitForQuiet() {
  Becomes([&] {
    account_.Add(drain_.Run());
    usleep(kQuietUs);
    DrainResult batch = drain_.Run();
    account_.Add(batch);
    return batch.flows.slot.empty();
  });
}

// Drains until all that was seen is somewhere: over a veth the programs run when the kernel gets to it.
Moved CorpusCheck::Collect(const CorpusRecord& expected) {
  const auto direction = static_cast<flow_direction>(expected.direction);
  const InterfaceAccount before = account_.Of(slot_);
  Moved moved;
  for (int i = 0; i < kTries; i++) {
    if (i) usleep(kPauseUs);
    DrainResult batch = drain_.Run();
    account_.Add(batch);
    for (size_t row = 0; row < batch.flows.slot.size(); row++) {
      Count count{static_cast<uint64_t>(batch.flows.packets[direction][row]),
                  static_cast<uint64_t>(batch.flows.bytes[direction][row])};
      // A SYN ends the connection that had its addresses: a row without packets.
      if (count == Count{}) continue;
      moved.flows[{batch.flows.slot[row], batch.flows.generation[row]}] += count;
      moved.in_flows += count;
    }
    moved.seen = account_.Of(slot_).seen[direction] - before.seen[direction];
    moved.other = account_.Of(slot_).other[direction] - before.other[direction];
    for (size_t each = 0; each < PACKET_CLASSES; each++)
      moved.classes[each] = account_.Of(slot_).classes[direction][each] - before.classes[direction][each];
    bool placed = moved.seen.packets && moved.seen.packets == moved.in_flows.packets + moved.other.packets;
    // A drain reads the classes before it reads what was seen: they may come with the next.
    bool classed = moved.classes[expected.packet_class] == moved.seen;
    if (placed && (classed || i >= kTriesForClass)) break;
  }
  return moved;
}

// Why it is counted wrongly, empty when it is not.
std::string CorpusCheck::Problem(const CorpusPacket& packet) {
  const CorpusRecord& expected = packet.expected;
  Moved moved = Collect(expected);
  Count count{expected.packets, expected.bytes};
  if (moved.seen != count) return "seen as " + Text(moved.seen) + ", not " + Text(count);
  for (size_t each = 0; each < PACKET_CLASSES; each++)
    if (moved.classes[each] != (each == expected.packet_class ? count : Count{}))
      return Text(moved.classes[each]) + " in class " + std::to_string(each) + ", expected in class " +
             std::to_string(expected.packet_class);
  if (expected.packet_class < FIRST_FLOW_CLASS) return moved.other == count ? "" : "in a flow";
  if (moved.flows.size() != 1) return std::to_string(moved.flows.size()) + " flows moved";
  if (moved.in_flows != count) return "counted as " + Text(moved.in_flows) + ", not " + Text(count);
  auto [slot, generation] = moved.flows.begin()->first;
  const FlowAccount& flow = account_.At(slot, generation);
  bool same = flow.family == expected.family && flow.protocol == expected.protocol && flow.flags == expected.flags &&
              flow.local_port == expected.local_port && flow.remote_port == expected.remote_port &&
              !memcmp(flow.local.data(), expected.local, sizeof(expected.local)) &&
              !memcmp(flow.remote.data(), expected.remote, sizeof(expected.remote));
  if (same) return "";
  return "in another flow: protocol " + std::to_string(flow.protocol) + ", flags " + std::to_string(flow.flags) +
         ", ports " + std::to_string(flow.local_port) + " and " + std::to_string(flow.remote_port);
}

void CorpusCheck::Run(Report& report, const Corpus& corpus, CorpusWay way, const Put& put) {
  std::vector<Tally> tallies(corpus.facts.size());
  account_.Add(drain_.Run());
  for (const CorpusPacket& packet : corpus.packets) {
    if (packet.expected.way != way) continue;
    Tally& tally = tallies[packet.expected.fact];
    if (tally.failures.size() >= kMostFailures) continue;
    Done done = put(packet);
    if (done.refused) {
      tally.refused++;
      continue;
    }
    tally.packets++;
    std::string miscounted = Problem(packet);
    std::string problem = done.problem.empty() ? miscounted : done.problem;
    const char* direction = packet.expected.direction == FROM_POD ? " from the pod: " : " to the pod: ";
    if (!problem.empty()) tally.failures.push_back(packet.name + direction + problem);
  }
  for (size_t i = 0; i < tallies.size(); i++)
    if (tallies[i].packets + tallies[i].refused) Tell(report, corpus.facts[i], tallies[i]);
}

Done PutByTestRun(int program, const CorpusPacket& packet) {
  RunRequest request{
      .packet = packet.bytes, .gso_size = packet.expected.gso_size, .gso_segs = packet.expected.gso_segs};
  Result<RunResult> run = TestRun(program, request);
  // From 2025 on the kernel tests no IP packet that is shorter than its IP header.
  if (run.status.error == EINVAL && packet.bytes.size() < ETH_HLEN + sizeof(ipv6hdr)) return {"", true};
  if (!run.ok()) return {Words(run.status)};
  if (run->returned != -1) return {"returned " + std::to_string(run->returned)};
  return {run->packet == packet.bytes ? "" : "changed the packet"};
}

Done PutOnWire(RawSocket& socket, const CorpusPacket& packet) {
  const std::vector<uint8_t>& bytes = packet.bytes;
  bool tagged = (bytes[12] == 0x81 && bytes[13] == 0x00) || (bytes[12] == 0x88 && bytes[13] == 0xa8);
  // A receiver takes the tag off before the hook, and drops the packet when there is not that much of it.
  if (packet.expected.direction == TO_POD && tagged && bytes.size() < ETH_HLEN + 6) return {"", true};
  int error = socket.Send(packet);
  // UDP's GSO from packet sockets comes with Linux 6.2; a packet of nothing but an Ethernet header may be refused.
  if (error == EINVAL && (packet.expected.gso_size || bytes.size() == ETH_HLEN)) return {"", true};
  return {error ? std::string("send: ") + strerror(error) : ""};
}

Status CheckByTestRun(Guest& guest, const Wire& wire, const Corpus& corpus) {
  Result<AttachmentInfo> attached = guest.probe->Attach({wire.netns, "eth0"});
  if (!attached.ok()) return attached.status;
  CorpusCheck check(*guest.probe, static_cast<uint16_t>(attached->slot));
  const Attachment& attachment = *guest.probe->interfaces()[attached->slot].attachment;
  check.Run(guest.report, corpus, kByTestRun, [&](const CorpusPacket& packet) {
    return PutByTestRun(attachment.program(static_cast<flow_direction>(packet.expected.direction)), packet);
  });
  check.End();
  return Status{};
}

Status CheckOnWire(Guest& guest, const Wire& wire, const Corpus& corpus) {
  RawSocket sockets[DIRECTIONS];
  Result<AttachmentInfo> attached = guest.probe->Attach({wire.netns, "eth0"});
  if (!attached.ok()) return attached.status;
  CorpusCheck check(*guest.probe, static_cast<uint16_t>(attached->slot));
  guest.wires.Silence(wire);
  Status status = guest.wires.Raise(wire);
  NamespaceThread& namespaces = guest.wires.namespaces();
  if (status.ok()) status = namespaces.In(wire.netns, [&] { return sockets[FROM_POD].Open("eth0"); });
  if (status.ok()) status = sockets[TO_POD].Open(wire.host);
  if (status.ok()) {
    check.WaitForQuiet();
    check.Run(guest.report, corpus, kOverVeth,
              [&](const CorpusPacket& packet) { return PutOnWire(sockets[packet.expected.direction], packet); });
  }
  check.End();
  return status;
}

}  // namespace

void CheckCorpus(Guest& guest, int wire_number, const char* path) {
  constexpr char kFact[] = "has read the whole corpus";
  std::optional<Corpus> corpus = ReadCorpus(path);
  Result<Wire> wire = guest.wires.Make(wire_number);
  if (!wire.ok()) return guest.report.NotOk(kFact, Words(wire.status));
  guest.report.Check(kFact, corpus.has_value(), "the file ends in the middle");
  if (!corpus) return;
  for (const auto& check : {CheckByTestRun, CheckOnWire}) {
    Status status = check(guest, *wire, *corpus);
    if (!status.ok()) guest.report.Remark("corpus: " + Words(status));
  }
}

}  // namespace podweir
