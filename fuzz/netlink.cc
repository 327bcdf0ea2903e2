// What the kernel answers, whatever its bytes, to each question of addon/interfaces.cc, conntrack.cc and
// host_sockets.cc: read within what was received, and to an end. socket, send and recv are this file's own (--wrap of
// the linker).
#include <fcntl.h>
#include <netinet/in.h>
#include <sanitizer/asan_interface.h>
#include <sys/socket.h>

#include <cerrno>

#include "conntrack.h"
#include "demand.h"
#include "host_sockets.h"
#include "interfaces.h"

namespace {

constexpr char kAnyFile[] = "/dev/null";
constexpr int kAnyIndex = 2;

// Datagrams, each behind its length in two bytes.
struct Answers {
  const uint8_t* data = nullptr;
  size_t size = 0;

  size_t Take(void* to, size_t room) {
    uint16_t bytes = 0;
    if (size < sizeof(bytes)) return 0;
    memcpy(&bytes, data, sizeof(bytes));
    size_t taken = std::min<size_t>({bytes, size - sizeof(bytes), room});
    memcpy(to, data + sizeof(bytes), taken);
    data += sizeof(bytes) + taken;
    size -= sizeof(bytes) + taken;
    return taken;
  }
} answers;

bool IsText(const std::string& text) { return text.find('\0') == std::string::npos; }

void Check(const podweir::Link& link) {
  demand(IsText(link.name) && IsText(link.kind) && IsText(link.qdisc), "a name ends before its first zero");
  demand(link.address.empty() || link.address.size() % 3 == 2, "an address is pairs of digits");
}

podweir::Tuple AnyTuple(uint8_t family, uint8_t number) {
  podweir::Tuple tuple;
  tuple.family = family;
  tuple.protocol = IPPROTO_TCP;
  tuple.source[0] = 10;
  tuple.destination[0] = number;
  tuple.source_port = tuple.destination_port = number;
  return tuple;
}

// The socket asks for how many entries there are first.
void AskConntrack() {
  auto conntrack = podweir::Conntrack::Open();
  if (!conntrack.ok()) return demand(conntrack.status.error > 0, "a failure has its reason");
  const std::vector<podweir::Tuple> asked = {AnyTuple(4, 1), AnyTuple(6, 2), AnyTuple(4, 3)};
  std::vector<podweir::Track> tracks = conntrack->LookUp(asked);
  demand(tracks.size() == asked.size(), "each question has its row");
  for (size_t i = 0; i < tracks.size(); i++) {
    const auto& [tracked, reply] = tracks[i];
    demand(tracked > podweir::Tracked::kGone && tracked <= podweir::Tracked::kFailed, "an outcome is one of those");
    if (tracked != podweir::Tracked::kTranslated) continue;
    demand(reply.family == asked[i].family, "a backend is of the flow's family");
    demand(reply.source_port != asked[i].destination_port || memcmp(reply.source, asked[i].destination, 16),
           "a backend is another point than the one that was dialled");
  }
}

void AskSockets(podweir::Netlink& netlink, uint8_t protocol, uint8_t family) {
  ListBound(netlink, protocol, family, [&](const podweir::BoundSocket& socket) {
    demand(socket.endpoint.protocol == protocol, "a socket is of the protocol that was asked for");
    demand(socket.family == 4 || socket.family == 6, "a socket is of a family");
  });
}

void Ask(uint8_t question, podweir::Netlink& netlink) {
  switch (question % 8) {
    case 0: {
      auto links = ListLinks(netlink);
      if (links.ok())
        for (const podweir::Link& link : *links) Check(link);
      demand(links.ok() || links.status.error > 0, "a failure has its reason");
      return;
    }
    case 1: {
      auto reading = ReadLink(netlink, -1, kAnyIndex);
      if (reading.ok()) Check(reading->link);
      demand(reading.ok() || reading.status.error > 0, "a failure has its reason");
      return;
    }
    case 2:
      QdiscDrops(netlink, kAnyIndex);
      return;
    case 3:
      demand(IsText(FilterQdisc(netlink, kAnyIndex)), "a kind ends before its first zero");
      return;
    case 4:
      demand(CountFilters(netlink, kAnyIndex) >= 0, "a count is not negative");
      return;
    case 5:
      NamespaceId(netlink, kAnyFile, true);
      return;
    case 6:
      AskConntrack();
      return;
    case 7:
      AskSockets(netlink, IPPROTO_TCP, AF_INET);
      AskSockets(netlink, IPPROTO_UDP, AF_INET6);
      return;
  }
}

}  // namespace

extern "C" {

int __wrap_socket(int, int, int) { return open(kAnyFile, O_RDWR | O_CLOEXEC); }

ssize_t __wrap_send(int, const void*, size_t bytes, int) { return static_cast<ssize_t>(bytes); }

// What lies behind the datagram is nobody's: the buffer is larger.
ssize_t __wrap_recv(int, void* buffer, size_t room, int) {
  ASAN_UNPOISON_MEMORY_REGION(buffer, room);
  size_t received = answers.Take(buffer, room);
  if (!received) {
    errno = EAGAIN;
    return -1;
  }
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(buffer) + received, room - received);
  return static_cast<ssize_t>(received);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto netlink = podweir::Netlink::Open();
  answers = {data + 1, size - 1};
  Ask(data[0], *netlink);
  return 0;
}
}
