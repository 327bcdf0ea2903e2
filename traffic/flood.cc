// Frames that are each another flow's first: a flood from everywhere to one address, or one address's scan of many.
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

constexpr size_t kBatch = 64;
constexpr uint64_t kLastPort = 65535;

uint32_t AddWords(const void* data, size_t bytes, uint32_t sum) {
  const auto* words = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i < bytes; i += 2) sum += words[i] << 8 | words[i + 1];
  return sum;
}

uint16_t Checksum(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

struct Frame {
  uint8_t ethernet[ETH_HLEN];
  iphdr ip;
  union {
    tcphdr tcp;
    udphdr udp;
  };
  size_t bytes;
} __attribute__((packed));

class Flooder {
 public:
  explicit Flooder(const Arguments& arguments);
  uint64_t Send(Run& run);

 private:
  // The i-th of its flows.
  void Build(uint64_t i, Frame& frame) const;
  void BuildSyn(Frame& frame, uint16_t source, uint16_t destination) const;
  void SendBatch(std::array<Frame, kBatch>& frames, size_t count);

  const uint64_t count_;
  const bool scans_;
  const bool syn_;
  const uint32_t from_, to_;  // host order
  const uint64_t ports_;
  const uint16_t first_port_, own_port_;
  const Pace pace_;
  const podweir::Fd socket_;
  Frame template_{};
};

Flooder::Flooder(const Arguments& arguments)
    : count_(arguments.Count("count")),
      scans_(arguments.Has("scan")),
      syn_(arguments.Text("protocol", "udp") == "tcp"),
      from_(ntohl(Endpoint(arguments.Text("from"), 0).v4().s_addr)),
      to_(ntohl(Endpoint(arguments.Text("to"), 0).v4().s_addr)),
      ports_(std::clamp<uint64_t>(arguments.Count("ports", 1), 1, kLastPort)),
      first_port_(static_cast<uint16_t>(arguments.Count("first-port", 1024))),
      own_port_(Port(arguments)),
      pace_(arguments.Decimal("rate", 0), NowNs()),
      socket_(OpenSocket(AF_PACKET, SOCK_RAW, 0)) {
  if (first_port_ + ports_ - 1 > kLastPort) RefuseArguments("--first-port and --ports go beyond 65535");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(arguments.Text("device").c_str()));
  if (!address.sll_ifindex || bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
    Fail("bind to", arguments.Text("device"), errno);
  uint8_t* mac = template_.ethernet;
  const std::string text = arguments.Text("mac");
  if (sscanf(text.c_str(), "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
    RefuseArguments("--mac " + text + " is not an Ethernet address");
  mac[6] = 2;  // a made-up sender, of no vendor
  mac[2 * ETH_ALEN] = ETH_P_IP >> 8;
  const size_t transport = syn_ ? sizeof(tcphdr) : sizeof(udphdr);
  template_.bytes = ETH_HLEN + sizeof(iphdr) + transport;
  template_.ip.version = 4;
  template_.ip.ihl = 5;
  template_.ip.ttl = 64;
  template_.ip.protocol = syn_ ? IPPROTO_TCP : IPPROTO_UDP;
  template_.ip.tot_len = htons(static_cast<uint16_t>(sizeof(iphdr) + transport));
}

void Flooder::Build(uint64_t i, Frame& frame) const {
  frame = template_;
  const uint32_t offset = static_cast<uint32_t>(i / ports_);
  const auto port = static_cast<uint16_t>(first_port_ + i % ports_);
  frame.ip.saddr = htonl(scans_ ? from_ : from_ + offset);
  frame.ip.daddr = htonl(scans_ ? to_ + offset : to_);
  frame.ip.check = Checksum(AddWords(&frame.ip, sizeof(iphdr), 0));
  const uint16_t source = scans_ ? own_port_ : port, destination = scans_ ? port : own_port_;
  if (syn_) return BuildSyn(frame, source, destination);
  frame.udp.source = htons(source);
  frame.udp.dest = htons(destination);
  frame.udp.len = htons(sizeof(udphdr));  // and a checksum of 0, which says that there is none
}

void Flooder::BuildSyn(Frame& frame, uint16_t source, uint16_t destination) const {
  frame.tcp.source = htons(source);
  frame.tcp.dest = htons(destination);
  frame.tcp.seq = frame.ip.saddr ^ frame.ip.daddr;
  frame.tcp.doff = sizeof(tcphdr) / 4;
  frame.tcp.syn = 1;
  frame.tcp.window = htons(1024);
  const uint32_t pseudo = AddWords(&frame.ip.saddr, 2 * sizeof(in_addr), IPPROTO_TCP + sizeof(tcphdr));
  frame.tcp.check = Checksum(AddWords(&frame.tcp, sizeof(tcphdr), pseudo));
}

void Flooder::SendBatch(std::array<Frame, kBatch>& frames, size_t count) {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts;
  for (size_t i = 0; i < count; i++) {
    parts[i] = {&frames[i], frames[i].bytes};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (size_t sent = 0; sent < count;) {
    const int put = sendmmsg(socket_.get(), &messages[sent], count - sent, 0);
    if (put > 0) sent += put;
    else if (errno != EAGAIN && errno != ENOBUFS) Fail("send", "flood", errno);
  }
}

uint64_t Flooder::Send(Run& run) {
  std::array<Frame, kBatch> frames;
  uint64_t sent = 0;
  while (run.Going() && sent < count_) {
    run.Sleep(pace_.DueNs(sent));
    const size_t batch = std::min<uint64_t>(kBatch, count_ - sent);
    for (size_t i = 0; i < batch; i++) Build(sent + i, frames[i]);
    SendBatch(frames, batch);
    sent += batch;
  }
  return sent;
}

}  // namespace

// flood --device D --mac M --count N --from A --to A --port P [--ports N [--first-port P]] [--protocol udp|tcp]
//       [--scan] [--rate PER_SECOND]
// From N / ports addresses on, and so many ports of each, to one address's port P. A scan is the other way round: from
// port P of one address to them.
int Flood(const Arguments& arguments) {
  arguments.Allow({"device", "mac", "count", "from", "to", "port", "ports", "first-port", "protocol", "scan", "rate"});
  Run run(arguments);
  Flooder flooder(arguments);
  Report("flood").Add("sent", flooder.Send(run)).Print();
  return 0;
}

}  // namespace traffic
