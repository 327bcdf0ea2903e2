// ICMP and ICMPv6 echo requests; an answer is one with our identifier and a sequence that we sent.
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <cerrno>
#include <string>
#include <vector>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

uint16_t Checksum(const std::vector<uint8_t>& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i++) sum += i % 2 ? bytes[i] : bytes[i] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

class Pinger {
 public:
  explicit Pinger(const Arguments& arguments)
      : target_(arguments.Text("to"), 0),
        v6_(target_.family() == AF_INET6),
        identifier_(static_cast<uint16_t>(getpid())),
        payload_bytes_(arguments.Count("size", 56)),
        socket_(OpenSocket(target_.family(), SOCK_RAW, v6_ ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP})) {}

  void SendRequest();
  // Reads until the request sent last is answered, or `until_ns`.
  void AwaitReply(Run& run, uint64_t until_ns);
  void PrintReport() const { Report("ping").Add("sent", sent_).Add("replies", replies_).Print(); }
  uint64_t sent() const { return sent_; }

 private:
  bool IsReply(const uint8_t* packet, ssize_t size) const;

  const Endpoint target_;
  const bool v6_;
  const uint16_t identifier_;
  const uint64_t payload_bytes_;
  const podweir::Fd socket_;
  uint64_t sent_ = 0;
  uint64_t replies_ = 0;
};

void Pinger::SendRequest() {
  // Type, code, checksum, identifier and sequence stand at the same place in both versions.
  std::vector<uint8_t> message(sizeof(icmphdr) + payload_bytes_, 'p');
  icmphdr header{};
  header.type = v6_ ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  header.un.echo.id = htons(identifier_);
  header.un.echo.sequence = htons(static_cast<uint16_t>(sent_));
  memcpy(message.data(), &header, sizeof(header));
  // For IPv6 the kernel fills in the checksum, which covers addresses.
  if (!v6_) header.checksum = Checksum(message);
  memcpy(message.data(), &header, sizeof(header));
  if (sendto(socket_.get(), message.data(), message.size(), 0, target_.address(), target_.length()) < 0)
    Fail("send echo to", "target", errno);
  sent_++;
}

bool Pinger::IsReply(const uint8_t* packet, ssize_t size) const {
  const ssize_t offset = v6_ ? 0 : (packet[0] & 15) * 4;
  icmphdr header;
  if (size < offset + static_cast<ssize_t>(sizeof(header))) return false;
  memcpy(&header, packet + offset, sizeof(header));
  return header.type == (v6_ ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && header.un.echo.id == htons(identifier_);
}

void Pinger::AwaitReply(Run& run, uint64_t until_ns) {
  uint8_t packet[65536];
  while (replies_ < sent_ && NowNs() < until_ns) {
    const ssize_t got = recv(socket_.get(), packet, sizeof(packet), 0);
    if (got > 0 && IsReply(packet, got)) replies_++;
    if (got >= 0) continue;
    if (!run.Going()) return;
    run.WaitReadable(socket_.get(), until_ns);
  }
}

}  // namespace

// ping --to A [--count N] [--interval SECONDS] [--size BYTES]
int Ping(const Arguments& arguments) {
  arguments.Allow({"to", "count", "interval", "size"});
  const uint64_t count = arguments.Count("count", UINT64_MAX);
  const uint64_t interval_ns = static_cast<uint64_t>(arguments.Decimal("interval", 0) * kSecond);
  Run run(arguments);
  Pinger pinger(arguments);
  for (uint64_t due = NowNs(); run.Going() && pinger.sent() < count; due += interval_ns) {
    run.Sleep(due);
    if (!run.Going()) break;
    pinger.SendRequest();
    pinger.AwaitReply(run, NowNs() + kSecond);
  }
  pinger.PrintReport();
  return 0;
}

}  // namespace traffic
